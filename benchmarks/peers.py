"""How fast is JanusDNA beside what one would run instead on this CPU?

    python benchmarks/peers.py 1024 8192 131072 --reference ~/JanusDNA

The same bases, one strand, through janusdna-72 and janusdna-144, of which one target or all positions are
asked, and through networks of equal width and of published sizes, all untrained: the reference
implementation from a clone that you name, stacks of mambapy's Mamba in two directions, HyenaDNA, and a
transformer of the size of Nucleotide Transformer v2 50m. Each is a process of its own, and they take turns,
so that what else the machine does falls on all alike. What would take longer than --longest or more memory
than is free, judged by the windows before, is not read, and its row says so.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from measure import Row, arguments, best, exponent, memory_growth, report, run_child
from peer_networks import NETWORKS, QUADRATIC, Read

from janusdna_cli.runtime.memory import free_memory

WINDOWS = (1024, 8192, 131_072)
# Seconds of a pass from which on one a process is enough.
LONG = 5
# Bases of a window that is read first, so that kernels are loaded and compiled.
_WARM_UP = 1024
_BESIDE = {"against one target": "janusdna-72-one", "against all positions": "janusdna-72-all"}
# An estimate may be wrong: a process is ended after so many times --longest, and what it takes to start.
_PATIENCE, _START = 3, 120


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "peers")
    parser.add_argument("windows", type=int, nargs="*", default=WINDOWS)
    parser.add_argument("--only", nargs="+", default=tuple(NETWORKS), choices=NETWORKS, metavar="NETWORK",
                        help=f"which are read: {', '.join(NETWORKS)}")  # fmt: skip
    parser.add_argument("--runs", type=int, default=2, help="processes for each, which take turns")
    parser.add_argument("--longest", type=float, default=60, help="seconds that one pass may take")
    parser.add_argument("--reference", type=Path, help="a clone of the reference implementation")
    parser.add_argument("--alone", action="store_true", help="read one network in this process (internal)")
    options = parser.parse_args()
    if options.alone:
        options.json.write_text(json.dumps(alone(options)))
        return
    rows: list[Row] = []
    for window in sorted(options.windows):
        rows += take_turns(window, rows, options)
    report([*rows, *growth(rows)], options.json)


def take_turns(window: int, before: Sequence[Row], options: argparse.Namespace) -> list[Row]:
    """A row for each network at one window, of its fastest process; `before` are those of shorter windows.

    What could not be read at one of these is left out.
    """
    unread = {row["network"] for row in before if row["seconds"] is None}
    names = [name for name in options.only if name not in unread]
    found: dict[str, Row] = {
        name: {"note": too_much(name, window, before, options.longest)} for name in names
    }
    for _ in range(options.runs):
        for name in names:
            if not found[name]["note"]:
                found[name] = faster(found[name], in_a_process(name, window, options))
    return [row(name, window, found) for name in names]


def too_much(name: str, window: int, before: Sequence[Row], longest: float) -> str:
    """Why a network is not read at this window, judged by shorter ones; nothing where it is read."""
    own = [row for row in before if row["network"] == name]
    if not own:
        return ""
    windows = [row["window"] for row in own]
    square = name in QUADRATIC
    seconds = extrapolate(windows, [row["seconds"] for row in own], window, square=square)
    if seconds > longest:
        return f"would take {seconds:,.0f} s"
    growth = extrapolate(windows, [row["growth, MB"] or 0 for row in own], window, square=square) * 1e6
    free = 0.8 * free_memory(torch.device("cpu"))
    return f"would need {growth / 1e9:,.0f} GB" if growth > free else ""


def extrapolate(windows: Sequence[int], values: Sequence[float], window: int, *, square: bool) -> float:
    """What grows linearly, through the last point, or also with the square, through the last two."""
    each = [value / size for value, size in zip(values, windows, strict=True)]
    slope = 0.0
    if square and len(each) > 1:
        slope = max(0.0, (each[-1] - each[-2]) / (windows[-1] - windows[-2]))
    return window * (each[-1] + slope * (window - windows[-1]))


def in_a_process(name: str, window: int, options: argparse.Namespace) -> Row:
    """What `alone` finds in a process of its own, with the memory of that process."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "found.json"
        command = [sys.executable, __file__, window, "--alone", "--only", name, "--json", written]
        command += ["--longest", options.longest]
        command += ["--reference", options.reference.absolute()] if options.reference else []
        try:
            _, peak, _ = run_child([*map(str, command)])
        except SystemExit as ended:
            print(ended, file=sys.stderr)
            return {"note": "its process was ended: out of memory, or of time"}
        found: Row = json.loads(written.read_text())
        return found if found["note"] else found | {"peak, MB": peak / 1e6}


def alone(options: argparse.Namespace) -> Row:
    """Seconds of a pass and by how much it makes this process larger, or why there is none."""
    limit(options.longest)
    (window,), (name,) = options.windows, options.only
    try:
        seconds, grown = measured(NETWORKS[name](window, options.reference), window)
    except ImportError as error:
        return {"note": str(error).splitlines()[0]}
    except Exception as error:  # another's code may raise anything
        return {"note": f"{type(error).__name__}: {error}".splitlines()[0]}
    return {"seconds": seconds, "growth, MB": None if grown is None else grown / 1e6, "note": ""}


def limit(longest: float) -> None:
    """Bound this process: what takes far longer than estimated is ended, what needs too much memory fails."""
    seconds = math.ceil(_PATIENCE * longest + _START) * torch.get_num_threads()
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    free = free_memory(torch.device("cpu"))
    resource.setrlimit(resource.RLIMIT_DATA, (free, free))


def measured(read: Read, window: int) -> tuple[float, int | None]:
    """Seconds of one pass, and bytes at its peak beyond those of the network itself."""
    bases = torch.randint(0, 4, (1, window), generator=torch.Generator().manual_seed(0))
    read(bases[:, :_WARM_UP])
    timed: list[float] = []

    def passes() -> None:
        timed.append(best(lambda: read(bases), 1, warm_up=False))
        if timed[0] < LONG:
            timed.append(best(lambda: read(bases), 3, warm_up=False))

    grown = memory_growth(passes)
    return min(timed), grown


def faster(one: Row, other: Row) -> Row:
    """Of two processes alike, where both have an answer."""
    answers = [row for row in (one, other) if "seconds" in row]
    return min(answers, key=lambda row: row["seconds"]) if answers else other


def row(name: str, window: int, found: dict[str, Row]) -> Row:
    """What a network took, against what janusdna-72 took beside it."""
    own = found[name]
    seconds = own.get("seconds")
    beside = {title: found.get(other, {}).get("seconds") for title, other in _BESIDE.items()}
    return {
        "network": name,
        "window": window,
        "seconds": seconds,
        "kb/s": window / seconds / 1e3 if seconds else None,
        "growth, MB": own.get("growth, MB"),
        "peak, MB": own.get("peak, MB"),
        **{title: seconds / other if seconds and other else None for title, other in beside.items()},
        "note": own["note"],
    }


def growth(rows: Sequence[Row]) -> list[Row]:
    """How each network's time grows, from each window to the next and over all."""
    found = []
    for name in dict.fromkeys(row["network"] for row in rows):
        own = [row for row in rows if row["network"] == name and row["seconds"]]
        if len(own) > 1:
            windows, seconds = ([row[field] for row in own] for field in ("window", "seconds"))
            last = exponent(windows[-2:], seconds[-2:])
            found.append(
                {"network": name, "from": windows[0], "to": windows[-1],
                 "exponent": exponent(windows, seconds), "between the last two": last}
            )  # fmt: skip
    return found


if __name__ == "__main__":
    main()
