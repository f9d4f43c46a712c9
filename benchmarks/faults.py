"""Does what is killed leave nothing half done, and end, gone on with, as what never was killed?

    python benchmarks/faults.py --kills 300

`score-variants`, `embed` and `merge` over small files, ended at random moments by SIGKILL, by SIGTERM, by a
disk that is full and by a write that fails. After each: no file under a final name that is not whole, and
what is said of it is true. Some are ended again when they go on. At last they run undisturbed: their table
must be that of a run that was never ended, byte for byte, and nothing else is left.

A run is the whole program in a process of its own, forked from this one so that it need not load PyTorch.
Its units of work are small, and kept at once or after a tenth of a second: much of its time is a moment at
which something could break. A full disk is a small one in memory where that may be mounted, else a limit on
the size of files.
"""

from __future__ import annotations

import errno
import io
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import made_up
import torch
from measure import Row, arguments, report

from janusdna import ModelConfig
from janusdna_cli.app import app
from janusdna_cli.app import main as janusdna
from janusdna_cli.merging import merge_parts  # noqa: F401 - loaded once, for all runs
from janusdna_cli.regions.embedding import embed_regions  # noqa: F401
from janusdna_cli.runs import keeper, running, workers
from janusdna_cli.variants.scoring import score_variants  # noqa: F401

_SIZES = ModelConfig(
    hidden_size=16,
    num_layers=1,
    intermediate_size=32,
    fusion_scale_width=32,
    expert_layers=(),
    trained_length=64,
)
_BASES = 4_000
_UNIT = 4_000  # bases; a quarter of a dozen variants
_AGAIN = 0.4
_PATIENCE_SECONDS = 60
_DISK_BYTES = 4 << 20

# Workers begin as this process does: it need not load PyTorch again.
_FORKING = SimpleNamespace(
    get_all_start_methods=multiprocessing.get_all_start_methods,
    get_context=lambda method: multiprocessing.get_context("fork"),
)

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
class Ended:
    """How a run ended.

    Attributes:
        code: Its exit code; of one that a signal ended, minus its number.
        said: The lines on standard error.
        seconds: How long it took.
    """

    code: int
    said: list[str]
    seconds: float


@dataclass
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


# What is done to the process of a run before it starts, and what is done to it as it runs.
Before = Callable[[], None]
During = Callable[[int], None]


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


class WrongError(Exception):
    """Something is not as it must be."""


def main() -> None:
    """Kill, look, go on, report."""
    parser = arguments(__doc__, "faults")
    parser.add_argument("--kills", type=int, default=100, help="runs that are ended")
    parser.add_argument("--minutes", type=float, default=20, help="stop then, however many were ended")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as name, _small_disk(Path(name) / "disk") as disk:
        bench = Bench(Path(name), disk, random.Random(options.seed))
        bench.prepare()
        deadline = time.monotonic() + 60 * options.minutes
        wrong = bench.run(options.kills, deadline)
        report(bench.rows(), options.json)
        if wrong:
            kept = shutil.copytree(name, tempfile.mkdtemp(prefix="faults-"), dirs_exist_ok=True)
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
        self.faults: dict[str, Callable[[Path, Whole], tuple[Before, During]]] = {
            "SIGKILL": lambda _, whole: (_nothing, self._at_a_moment(signal.SIGKILL, whole)),
            "SIGTERM": lambda _, whole: (_nothing, self._at_a_moment(signal.SIGTERM, whole)),
            "full disk" if disk else "file size limit": self._full_disk,
            "failing write": lambda _, whole: (
                lambda: fail_writes(self.draw_below(whole.writes)),
                lambda pid: None,
            ),
        }
        self.tallies = {(task, fault): Tally() for task in TASKS for fault in self.faults}

    def draw_below(self, count: int) -> int:
        """A random whole number of [0, count)."""
        return self.draw.randrange(max(1, count))

    def prepare(self) -> None:
        """Write the inputs, load what runs need, and see each task done undisturbed."""
        os.environ["XDG_CACHE_HOME"] = str(self.folder / "cache")
        write_inputs(self.folder, self.draw)
        for task in TASKS:
            if task.words[0] == "merge":
                for index in (1, 2, 3):
                    words = (*_TILED, "--shard", f"{index}/3", "-o", "../parts")
                    self._done(Task("", words, f"../parts/part-{index}-of-3.parquet"))
            self._done(task, in_this_process=True)
            self.whole[task] = self._done(task)

    def _done(self, task: Task, *, in_this_process: bool = False) -> Whole:
        """Do a task that nothing disturbs."""
        with self._empty_folder("undisturbed") as folder:
            counts = folder.parent / "writes"
            if in_this_process:
                os.chdir(folder)
                app(list(task.words), standalone_mode=False)
                return Whole({}, 0, 0, 0)
            ended = run(task, folder, lambda: count_writes(counts), seconds=0)
            if ended.code:
                raise WrongError(f"{task.name} does not even run undisturbed: {ended}")
            writes, size = map(int, counts.read_text().split())
            files = {name: (folder / name).read_bytes() for name in _files(folder)}
            return Whole(files, ended.seconds, writes, size)

    def run(self, kills: int, deadline: float) -> str | None:
        """End runs until so many were ended; what is wrong, if anything is."""
        for (task, fault), tally in cycle(self.tallies.items()):
            if sum(each.ended for each in self.tallies.values()) >= kills or time.monotonic() > deadline:
                return None
            place = self.disk if self.disk and fault == "full disk" else self.folder
            with self._empty_folder("trial", place) as folder:
                try:
                    self._end_and_go_on(task, fault, folder, tally)
                except WrongError as error:
                    shutil.copytree(folder, self.folder / "wrong", dirs_exist_ok=True)
                    return f"{task.name}, {fault}: {error}"
        return None

    def _end_and_go_on(self, task: Task, fault: str, folder: Path, tally: Tally) -> None:
        whole, ended, kept = self.whole[task], None, folder / f"{task.output}.parts"
        while ended is None or (ended.code and self.draw.random() < _AGAIN):
            was_kept = kept.exists()
            before, during = self.faults[fault](folder, whole)
            ended = run(task, folder, before, during, seconds=self.draw.choice((0, 0.1)))
            self._make_room()
            check_left(task, fault, folder, ended, whole, before=was_kept)
            tally.tried += 1
            tally.ended += ended.code != 0
            tally.kept += kept.exists()
        if ended.code:
            ended = run(task, folder, seconds=0)
            tally.again.append(ended.seconds)
        check_done(task, folder, ended, whole)
        tally.done += 1

    def _at_a_moment(self, number: int, whole: Whole) -> During:
        seconds = self.draw.uniform(0, whole.seconds)

        def send(pid: int) -> None:
            time.sleep(seconds)
            os.kill(pid, number)

        return send

    def _full_disk(self, folder: Path, whole: Whole) -> tuple[Before, During]:
        room = self.draw_below(whole.bytes)
        if self.disk is None:
            return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)), lambda pid: None
        free = os.statvfs(self.disk)
        with self._ballast.open("wb") as file:
            file.write(bytes(max(0, free.f_bavail * free.f_frsize - room)))
        return _nothing, lambda pid: None

    @property
    def _ballast(self) -> Path:
        return (self.disk or self.folder) / "ballast"

    def _make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)

    @contextmanager
    def _empty_folder(self, name: str, place: Path | None = None) -> Iterator[Path]:
        """A folder beside the inputs, or on the disk beside links to them."""
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
                "same bytes at last": tally.done,
                "undisturbed, s": self.whole[task].seconds,
                "going on, s": sum(tally.again) / len(tally.again) if tally.again else None,
            }
            for (task, fault), tally in self.tallies.items()
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


def run(
    task: Task,
    folder: Path,
    before: Before = lambda: None,
    during: During = lambda pid: None,
    *,
    seconds: float,
) -> Ended:
    """A task in a process of its own.

    Args:
        task: What.
        folder: Where.
        before: Called by the new process.
        during: Called with its number as it runs.
        seconds: After which what is done is kept.
    """
    began = time.monotonic()
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        _be_janusdna(task, folder, before, write_end, seconds)
    os.close(write_end)
    during(pid)
    code, seconds = _waited_for(pid), time.monotonic() - began
    with os.fdopen(
        read_end, "rb"
    ) as file:  # ends when its workers have, which have its lock as they have this
        said = file.read().decode().splitlines()
    return Ended(code, said, seconds)


def _be_janusdna(task: Task, folder: Path, before: Before, stderr: int, seconds: float) -> None:
    """What `janusdna` does, from the command line to the exit code."""
    code = 99
    try:
        os.dup2(stderr, 2)
        os.chdir(folder)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        running._CPU_UNIT, keeper._SECONDS = _UNIT, seconds
        workers.multiprocessing = _FORKING  # type: ignore[attr-defined]
        sys.argv = ["janusdna", *task.words]
        before()
        janusdna()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 98
    except BaseException:
        traceback.print_exc()
    finally:
        if _on_exit:
            _on_exit[-1]()
        os._exit(code)


def _waited_for(pid: int) -> int:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise WrongError(f"it did not end within {_PATIENCE_SECONDS} s")


def check_left(
    task: Task, fault: str, folder: Path, ended: Ended, whole: Whole, *, before: bool = False
) -> None:
    """What a run that was ended has left, and said.

    Args:
        task: What was done.
        fault: What ended it.
        folder: Where.
        ended: How it ended.
        whole: What it would have come to.
        before: Whether something was kept before it began.

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
    if fault == "SIGKILL" or ended.code == 0:
        return
    expected = {"SIGTERM": (143, -signal.SIGTERM)}.get(fault, (1,))
    if ended.code not in expected:
        raise WrongError(f"exit code {ended.code}, expected {expected}: {ended.said}")
    if ended.code < 0:  # before it could say anything
        return
    said = [line for line in ended.said if line not in _without_index(ended)]
    if len(said) != 1 or "bug" in said[0]:
        raise WrongError(f"it said {ended.said}, expected a line")
    is_said = said[0].endswith(f"what is done is kept in {parts}: go on with --resume")
    if is_said != (folder / parts).exists() and not before:  # who did not come so far leaves it as it was
        raise WrongError(f"it left {sorted(found)} and said {said[0]!r}")


def check_done(task: Task, folder: Path, ended: Ended, whole: Whole) -> None:
    """What a run has made that went on undisturbed.

    Raises:
        WrongError: If that is not what one makes that never was ended.
    """
    if ended.code:
        raise WrongError(f"it did not go on: {ended}")
    found = {name for name in _files(folder) if task.is_kept or not name.endswith(".part")}
    expected = dict(whole.files)
    if _without_index(ended):
        expected = {name: data for name, data in expected.items() if not name.endswith(".tbi")}
    if found != set(expected):
        raise WrongError(f"it went on and left {sorted(found)}")
    for name, data in expected.items():
        if (folder / name).read_bytes() != data:
            raise WrongError(f"it went on to another {name} than one that never was ended")


def _without_index(ended: Ended) -> list[str]:
    """What is said of a table that has no index for want of room: it is whole all the same."""
    return [line for line in ended.said if "cannot index it; it is complete without" in line]


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()} | {
        f"{path.relative_to(folder).as_posix()}/" for path in folder.rglob("*.parts")
    }


def _nothing() -> None:
    pass


# Writes of a process, counted and made to fail.

_on_exit: list[Callable[[], None]] = []


class _Watched(io.FileIO):
    """A file whose writes are told before they are made."""

    tell_write: Callable[[int], None]

    def write(self, data: Any) -> int | None:
        """As a file does."""
        type(self).tell_write(memoryview(data).nbytes)
        return super().write(data)


def _watch(tell_write: Callable[[int], None]) -> None:
    """From now on, of all files that are opened to write in this process."""
    _Watched.tell_write = staticmethod(tell_write)
    real = Path.open

    def watched(path: Path, mode: str = "r", buffering: int = -1, *arguments: Any, **options: Any) -> Any:
        if "b" not in mode or not set(mode) & set("wx"):
            return real(path, mode, buffering, *arguments, **options)
        file = _Watched(path, mode.replace("b", ""))
        return file if buffering == 0 else io.BufferedWriter(file)

    Path.open = watched  # type: ignore[method-assign, assignment]


def count_writes(result: Path) -> None:
    """Count the writes of this process and their bytes."""
    sizes: list[int] = []
    _watch(sizes.append)
    _on_exit.append(lambda: (result.write_text(f"{len(sizes)} {sum(sizes)}"), None)[1])


def fail_writes(number: int) -> None:
    """From the write of this number on, from 0, all of this process fail."""
    writes: Counter[str] = Counter()

    def fail(size: int) -> None:
        writes["made"] += 1
        if writes["made"] > number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    _watch(fail)


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """A disk of some megabytes; None where none may be mounted."""
    folder.mkdir()
    size = f"size={_DISK_BYTES}"
    if not _succeeds("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)):
        yield None
        return
    try:
        for name in ("genome.fa", "variants.vcf", "shuffled.vcf", "regions.bed", "model", "parts"):
            (folder / name).symlink_to(folder.parent / name)
        yield folder
    finally:
        _succeeds("umount", str(folder))


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    main()
