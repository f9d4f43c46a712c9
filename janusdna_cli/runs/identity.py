"""What a run was started with: whatever changes a number that it computes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.streams import open_regular

__all__ = ["check_same", "digest", "digest_of_lengths", "file_identity"]

_MOST_SHOWN = 3


def file_identity(path: str) -> dict[str, Any]:
    """Name, size and sha256 of an input.

    Raises:
        InputError: If it cannot be read.
    """
    with open_regular(path, "file") as file:
        digest = hashlib.file_digest(file, "sha256")
        return {"name": Path(path).name, "size": file.tell(), "sha256": digest.hexdigest()}


def digest_of_lengths(reference: Reference | None) -> dict[str, Any] | None:
    """Name of a FASTA, and a digest of its contigs' names and lengths; None of none."""
    if reference is None:
        return None
    return {"name": Path(reference.path).name, "contigs": digest(reference.lengths)}


def digest(value: Any) -> str:
    """Of a JSON value, the same for equal ones."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def check_same(before: Mapping[str, Any], now: Mapping[str, Any], *, place: str, fix: str) -> None:
    """Whether two runs, or two parts of one, were started with the same.

    Args:
        before: What the one was started with.
        now: What the other one was.
        place: What holds the first, for the message.
        fix: What to do where they differ.

    Raises:
        InputError: If not; it names what differs.
    """
    differing = list(_differences(before, now))
    if differing:
        shown = "; ".join(differing[:_MOST_SHOWN])
        more = f" (and {len(differing) - _MOST_SHOWN} more)" if len(differing) > _MOST_SHOWN else ""
        raise InputError(
            f"{place}{'' if place.endswith(' and') else ':'} was started with {shown}{more}; {fix}"
        )


def _differences(before: Any, now: Any, name: str = "") -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*before, *now)):
            yield from _differences(before.get(key), now.get(key), f"{name} {key}".strip())
    elif before != now:
        yield f"{name} {_shown(before)}, and not {_shown(now)}"


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."
