"""Does what is killed leave nothing half done, and end, gone on with, as what never was killed?

    python benchmarks/faults.py --kills 300

`score-variants`, `embed` and `merge` over small files, ended at random moments by SIGKILL, by SIGTERM, by a
disk that is full and by a write that fails. After each: no file under a final name that is not whole, and
what is said of it is true. Some are ended again when they go on. At last they run undisturbed: their table
must be that of a run that was never ended, byte for byte, and nothing else is left.

A run is the whole program in a process of its own. Its units of work are small, and kept at once or after a
tenth of a second: much of its time is a moment at which something could break. A full disk is a small one in
memory where that may be mounted, else a limit on the size of files.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import disturbed_runs
import made_up
import torch
from disturbed_runs import NONE, Disturbance, Ended, WrongError
from measure import Row, arguments, report

from janusdna import ModelConfig
from janusdna_cli.app import app

_SIZES = ModelConfig(
    hidden_size=16, num_layers=1, intermediate_size=32, fusion_scale_width=32, expert_layers=(),
    trained_length=64,
)  # fmt: skip
_BASES = 4_000
_UNIT = 4_000
_AGAIN = 0.4
_DISK_BYTES = 4 << 20
_INPUTS = ("genome.fa", "variants.vcf", "shuffled.vcf", "regions.bed", "model", "parts")

_COMMON = ("-m", "../model", "-w", "64", "--threads", "1", "--quiet", "--resume")
_SCORE = ("score-variants", "../variants.vcf", "-f", "../genome.fa", *_COMMON)
_TILED = ("score-variants", "../shuffled.vcf", "-f", "../genome.fa", "--context", "tiled", *_COMMON)
_EMBED = ("embed", "../genome.fa", "../regions.bed", *_COMMON)


@dataclass(frozen=True)
class Task:
    """A command line.

    Attributes:
        name: For the table.
        words: What is typed, in a folder of its own.
        output: The file or the folder that it makes.
    """

    name: str
    words: tuple[str, ...]
    output: str = "out.parquet"

    @property
    def is_kept(self) -> bool:
        """Whether what is done of it is kept until it is whole."""
        return self.words[0] != "merge"


TASKS = (
    Task("score-variants", (*_SCORE, "-o", "out.parquet")),
    Task("score-variants, TSV", (*_SCORE, "-o", "out.tsv.gz"), "out.tsv.gz"),
    Task("score-variants, VCF", (*_SCORE, "-o", "out.vcf.gz"), "out.vcf.gz"),
    Task("score-variants, tiled", (*_TILED, "-o", "out.parquet")),
    Task("a shard of it", (*_TILED, "--shard", "2/3", "-o", "parts"), "parts/part-2-of-3.parquet"),
    Task("two workers", (*_SCORE, "--workers", "2", "-o", "out.parquet")),
    Task("embed", (*_EMBED, "-o", "out.parquet")),
    Task("embed, bases", (*_EMBED, "--pool", "none", "-o", "out.parquet")),
    Task("embed, a folder", (*_EMBED, "-o", "table/"), "table"),
    Task("merge", ("merge", "../parts", "--quiet", "--overwrite", "-o", "out.parquet")),
)


@dataclass(frozen=True)
class Whole:
    """An undisturbed run.

    Attributes:
        files: What it leaves: bytes by name.
        seconds: How long it takes.
        writes: How many it makes.
        bytes: How many bytes these are.
    """

    files: dict[str, bytes]
    seconds: float
    writes: int
    bytes: int


@dataclass
class Tally:
    """What came of one fault in one task.

    Attributes:
        tried: Runs that were to be ended.
        ended: Those that were.
        kept: Those of them after which something was kept.
        done: Tables that were there at last, the same as those of undisturbed runs.
        again: Seconds that the last runs took, which were not ended.
    """

    tried: int = 0
    ended: int = 0
    kept: int = 0
    done: int = 0
    again: list[float] = field(default_factory=list)


def main() -> None:
    """Kill, look, go on, report."""
    parser = arguments(__doc__, "faults")
    parser.add_argument("--kills", type=int, default=100, help="runs that are ended")
    parser.add_argument("--minutes", type=float, default=20, help="stop then, however many were ended")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with (
        tempfile.TemporaryDirectory() as name,
        disturbed_runs.small_disk(Path(name) / "disk", _DISK_BYTES) as disk,
    ):
        bench = Bench(Path(name), disk, random.Random(options.seed))
        bench.prepare()
        wrong = bench.run(options.kills, time.monotonic() + 60 * options.minutes)
        report(bench.rows(), options.json)
        if wrong:
            kept = shutil.copytree(
                Path(name) / "wrong", tempfile.mkdtemp(prefix="faults-"), dirs_exist_ok=True
            )
            raise SystemExit(f"\n{wrong}\nwhat it left is in {kept}")


class Bench:
    """Tasks, and faults to end them by.

    Args:
        folder: Where all files are.
        disk: A small disk; None where none may be mounted.
        draw: Chance.
    """

    def __init__(self, folder: Path, disk: Path | None, draw: random.Random) -> None:
        self.folder = folder
        self.disk = disk
        self.draw = draw
        self.whole: dict[Task, Whole] = {}
        self.faults: dict[str, Callable[[Whole], Disturbance]] = {
            "SIGKILL": lambda whole: self._signalled(signal.SIGKILL, whole),
            "SIGTERM": lambda whole: self._signalled(signal.SIGTERM, whole),
            "full disk" if disk else "file size limit": self._full_disk,
            "failing write": lambda whole: disturbed_runs.writes_fail_from(self._below(whole.writes)),
        }
        self.tallies = {(task, fault): Tally() for task in TASKS for fault in self.faults}

    def prepare(self) -> None:
        """Write the inputs, and load what runs need."""
        os.environ["XDG_CACHE_HOME"] = str(self.folder / "cache")
        write_inputs(self.folder, self.draw)
        for words in (_SCORE, _TILED, _EMBED):
            with self._empty_folder("first") as folder:
                os.chdir(folder)
                app([*words, "-o", "out.parquet"], standalone_mode=False)
        for index in (1, 2, 3):
            self._done(Task("a part", (*_TILED, "--shard", f"{index}/3", "-o", "../parts")))
        if self.disk:
            for name in _INPUTS:
                (self.disk / name).symlink_to(self.folder / name)

    def run(self, kills: int, deadline: float) -> str | None:
        """End runs until so many were ended; what is wrong, if anything is."""
        pairs = self.draw.sample(sorted(self.tallies.items(), key=str), len(self.tallies))
        for (task, fault), tally in cycle(pairs):
            if sum(each.ended for each in self.tallies.values()) >= kills or time.monotonic() > deadline:
                return None
            if task not in self.whole:
                self.whole[task] = self._done(task)
            place = self.disk if self.disk and fault == "full disk" else self.folder
            with self._empty_folder("trial", place) as folder:
                try:
                    self._end_and_go_on(task, fault, folder, tally)
                except WrongError as error:
                    shutil.copytree(folder, self.folder / "wrong")
                    return f"{task.name}, {fault}: {error}"
        return None

    def _done(self, task: Task) -> Whole:
        """Do a task that nothing disturbs."""
        counts = self.folder / "counts"
        with self._empty_folder("undisturbed") as folder:
            ended = self._run(task, folder, disturbed_runs.writes_counted(counts))
            if ended.code:
                raise SystemExit(f"{task.name} does not even run undisturbed: {ended}")
            writes, size = map(int, counts.read_text().split())
            return Whole(
                {name: (folder / name).read_bytes() for name in _files(folder)}, ended.seconds, writes, size
            )

    def _end_and_go_on(self, task: Task, fault: str, folder: Path, tally: Tally) -> None:
        whole, ended, kept = self.whole[task], None, folder / f"{task.output}.parts"
        while ended is None or (ended.code and self.draw.random() < _AGAIN):
            was_kept = kept.exists()
            disturbance = self.faults[fault](whole)
            ended = self._run(task, folder, disturbance, keep_after=self.draw.choice((0, 0.1)))
            self._ballast.unlink(missing_ok=True)
            check_left(task, fault, folder, ended, whole, was_kept=was_kept)
            tally.tried += 1
            tally.ended += ended.code != 0
            tally.kept += kept.exists()
        was_done = not kept.exists() and set(whole.files) <= _files(folder)  # ended after its work
        if ended.code and not was_done:
            ended = self._run(task, folder)
            tally.again.append(ended.seconds)
            if ended.code:
                raise WrongError(f"it did not go on: {ended}")
        check_done(task, folder, ended, whole)
        tally.done += 1

    def _run(
        self, task: Task, folder: Path, disturbance: Disturbance = NONE, *, keep_after: float = 0
    ) -> Ended:
        return disturbed_runs.run(task.words, folder, disturbance, unit=_UNIT, keep_after=keep_after)

    def _signalled(self, number: int, whole: Whole) -> Disturbance:
        return disturbed_runs.signal_after(self.draw.uniform(0, whole.seconds), number)

    def _full_disk(self, whole: Whole) -> Disturbance:
        room = self._below(whole.bytes)
        if self.disk is None:
            return Disturbance(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)))
        free = os.statvfs(self.disk)
        self._ballast.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - room)))
        return NONE

    @property
    def _ballast(self) -> Path:
        """What fills the disk."""
        return (self.disk or self.folder) / "ballast"

    def _below(self, count: int) -> int:
        """A random whole number of [0, count)."""
        return self.draw.randrange(max(1, count))

    @contextmanager
    def _empty_folder(self, name: str, place: Path | None = None) -> Iterator[Path]:
        """A folder beside the inputs."""
        folder = (place or self.folder) / name
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def rows(self) -> list[Row]:
        """The table."""
        return [
            {
                "task": task.name,
                "ended by": fault,
                "tried": tally.tried,
                "ended": tally.ended,
                "something kept": tally.kept,
                "the same at last": tally.done,
                "undisturbed, s": self.whole[task].seconds,
                "going on, s": sum(tally.again) / len(tally.again) if tally.again else None,
            }
            for (task, fault), tally in self.tallies.items()
            if tally.tried
        ]


def write_inputs(folder: Path, draw: random.Random) -> None:
    """Genome, variants, regions and a network."""
    bases = made_up.write_genome(folder / "genome.fa", _BASES)
    made_up.write_variants(folder / "variants.vcf", bases)
    lines = (folder / "variants.vcf").read_text().splitlines(keepends=True)
    header, records = [line for line in lines if line[0] == "#"], [line for line in lines if line[0] != "#"]
    (folder / "shuffled.vcf").write_text("".join(header + draw.sample(records, len(records))))
    starts = range(0, _BASES - 300, 90)
    regions = (f"chr1\t{start}\t{start + (200 if start % 4 == 0 else 30)}\n" for start in starts)
    (folder / "regions.bed").write_text("".join(regions))
    made_up.write_network(folder / "model", "made-up", _SIZES)


def check_left(task: Task, fault: str, folder: Path, ended: Ended, whole: Whole, *, was_kept: bool) -> None:
    """What a run that was to be ended has left, and said.

    Args:
        task: What was done.
        fault: What ended it.
        folder: Where.
        ended: How it ended.
        whole: What it would have come to.
        was_kept: Whether something was kept before it began.

    Raises:
        WrongError: If that is not as it must be.
    """
    parts, found = f"{task.output}.parts", _files(folder)
    allowed = set(whole.files) | {name for name in found if name.startswith(f"{parts}/")}
    if fault == "SIGKILL" and not task.is_kept:
        allowed |= {name for name in found if name.startswith(".") and name.endswith(".part")}
    if extra := found - allowed:
        raise WrongError(f"it left {sorted(extra)}")
    for name in found & set(whole.files):
        if (folder / name).read_bytes() != whole.files[name]:
            raise WrongError(f"{name} is there and is not whole")
    if ended.code and fault != "SIGKILL":
        _check_said(fault, ended, parts, (folder / parts).exists(), was_kept)


def _check_said(fault: str, ended: Ended, parts: str, is_kept: bool, was_kept: bool) -> None:
    expected = {"SIGTERM": (143, -signal.SIGTERM)}.get(fault, (1,))
    if ended.code not in expected:
        raise WrongError(f"exit code {ended.code}, expected {expected}: {ended.said}")
    if ended.code < 0:  # before it could say anything
        return
    said = [line for line in _own_words(ended) if line not in _without_index(ended)]
    if len(said) != 1 or "bug" in said[0]:
        raise WrongError(f"it said {ended.said}, expected a line")
    is_said = said[0].endswith(f"what is done is kept in {parts}: go on with --resume")
    if is_said != is_kept and not was_kept:  # who did not come so far leaves it as it was
        raise WrongError(f"{parts} is {'there' if is_kept else 'not there'}, and it said {said[0]!r}")


def check_done(task: Task, folder: Path, ended: Ended, whole: Whole) -> None:
    """What a run has made that came to its end.

    Raises:
        WrongError: If that is not what one makes that never was ended.
    """
    found = {name for name in _files(folder) if task.is_kept or not name.endswith(".part")}
    expected = dict(whole.files)
    if _without_index(ended):
        expected = {name: data for name, data in expected.items() if not name.endswith(".tbi")}
    if found != set(expected):
        raise WrongError(f"it went on and left {sorted(found)}")
    for name, data in expected.items():
        if (folder / name).read_bytes() != data:
            raise WrongError(f"it went on to another {name} than one that never was ended")


def _own_words(ended: Ended) -> list[str]:
    """All that is said but what Python says of a signal that came where nothing can be raised."""
    if not any(line.startswith("Exception ignored in: ") for line in ended.said):
        return ended.said
    return [line for line in ended.said if line.startswith("janusdna: ")]


def _without_index(ended: Ended) -> list[str]:
    """What is said of a table that has no index for want of room: it is whole all the same."""
    return [line for line in ended.said if "cannot index it; it is complete without" in line]


def _files(folder: Path) -> set[str]:
    """Names of files, and of folders of unfinished runs."""
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {f"{name}/" if path.is_dir() else name for name, path in there.items()
            if not path.is_dir() or name.endswith(".parts")}  # fmt: skip


if __name__ == "__main__":
    main()
