"""What a container or a batch job leaves this process of its machine: memory and processors.

Both are limits of the process's control group and of those around it, version 1 or 2; the kernel tells the
machine's own numbers all the same. Within a container a group may be called as it is outside, and lie at the
root: names that are not there are passed over.

Source: Linux, Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["memory_left", "usable_processors"]

_ROOT = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
# Limits, what is used, and what of it is given back at need (of `memory.stat`).
_MEMORY = (
    (("memory.max", "memory.high"), "memory.current", "inactive_file"),
    (("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"),
)


def memory_left() -> int | None:
    """Bytes that the groups of this process may still take; None without a limit."""
    found = [
        left
        for group in _groups("memory")
        for limits, usage, given_back in _MEMORY
        if (left := _left(group, limits, usage, given_back)) is not None
    ]
    return min(found, default=None)


def usable_processors() -> int:
    """Processors that this process may keep busy, at least one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shares = [share for group in _groups("cpu") if (share := _processor_share(group)) is not None]
    return max(1, min([allowed, *map(math.ceil, shares)]))


def _groups(controller: str) -> Iterator[Path]:
    """Folders of this process's group and of those around it, innermost first."""
    for line in _text(_MEMBERSHIP).splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            mounts = [_ROOT, _ROOT / "unified"]
        elif controller in controllers.split(","):
            mounts = [_ROOT / controllers, _ROOT / controller]
        else:
            continue
        names = [] if "/.." in path else path.strip("/").split("/")
        for mount in mounts:
            for depth in range(len(names), -1, -1):
                yield mount.joinpath(*names[:depth])


def _left(group: Path, limits: tuple[str, ...], usage: str, given_back: str) -> int | None:
    found = [limit for name in limits if (limit := _number(group / name)) is not None]
    if not found:
        return None
    statistics = dict(line.split() for line in _text(group / "memory.stat").splitlines())
    used = (_number(group / usage) or 0) - int(statistics.get(given_back, 0))
    return max(0, min(found) - max(0, used))


def _processor_share(group: Path) -> float | None:
    """Processors' worth of time a second; None without a limit."""
    words = _text(group / "cpu.max").split()
    if len(words) == 2 and words[0] != "max":
        return int(words[0]) / int(words[1])
    quota, period = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
    return quota / period if quota and period and quota > 0 else None


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.lstrip("-").isdecimal() else None


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return ""
