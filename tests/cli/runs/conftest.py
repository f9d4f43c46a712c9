"""Commands over small files in many small units, each kept as soon as it is done."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from janusdna_cli.reading import chunks
from janusdna_cli.reading.window_reader import WindowReader
from janusdna_cli.runs import keeper, rows, running

from ..conftest import save_model

# A unit is a few windows of 64 bases, on both strands.
UNIT = 500


@dataclass(frozen=True)
class Case:
    """A command on one kind of input.

    Attributes:
        name: For the test's name.
        options: Of the command.
        variants: Whether it scores variants; else it takes regions.
        command: What it does with regions.
        shuffled: Whether the input is in no order.
        whole: Whether the input is the FASTA alone.
    """

    name: str
    options: tuple[object, ...] = ()
    variants: bool = True
    shuffled: bool = False
    whole: bool = False
    window: int = 64
    command: str = "embed"

    @property
    def place(self) -> int:
        """Of the input among the words."""
        return 1 if self.variants else 2 if self.command == "embed" else 3

    def words(self, work) -> list[object]:
        """The command line, without the output."""
        fasta = work.fasta(**CONTIGS)
        common = ("-m", work.model, "--window", self.window, *self.options)
        if self.variants:
            vcf = work.vcf(*(SHUFFLED if self.shuffled else SORTED))
            return ["score-variants", vcf, "-f", fasta, *common]
        if self.whole:
            return ["embed", fasta, *common]
        bed = work.bed(*(REGIONS[::-1] if self.shuffled else REGIONS))
        if self.command != "embed":
            return [self.command, fasta, "--regions", bed, *common]
        return ["embed", fasta, bed, *common]


def bases(length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


CONTIGS = {"one": bases(900, 21), "two": bases(50, 22), "three": bases(300, 23).lower()}


def _records() -> list[str]:
    """Records of all kinds in the order of the contigs, some of them twice."""
    draw, records = random.Random(3), []
    for name, contig in CONTIGS.items():
        for pos in sorted(draw.sample(range(5, len(contig) - 8), 3 if name == "two" else 9)):
            ref = contig[pos - 1 : pos + draw.choice((0, 0, 0, 1, 2))].upper()
            other = ("C" if ref[0] == "A" else "A") + ref[1:]
            alts = [other, f"{ref}G", "<DEL>"][: draw.choice((1, 1, 3))]
            records.append(f"{name} {pos} rs{pos} {ref} {','.join(alts)}")
            if draw.random() < 0.1:
                records.append(records[-1])
    records.insert(7, "elsewhere 5 . A C")
    records.insert(15, "one 5 . N <DEL>")
    return records


SORTED = _records()
SHUFFLED = random.Random(4).sample(SORTED, len(SORTED))
REGIONS = [
    "one 10 20 a 0 +",
    "one 30 31",
    *(f"three {start} {start + 9} r{start} 0 -" for start in range(0, 280, 20)),
    "nowhere 1 2 n",
    "one 100 800 long 5 - x y",
    "two 0 50 whole",
    "three 7 7 empty",
    "one 0 900 all",
    "two 3 9 b",
]
EVERYTHING = ("--scores", "llr,delta_pll,embedding", "--span", 8)
TILED = ("--context", "tiled", *EVERYTHING)
CASES = [
    Case("centered"),
    Case("centered-shuffled", EVERYTHING, shuffled=True),
    Case("tiled", TILED),
    Case("tiled-shuffled", TILED, shuffled=True),
    Case("mean", ("--pool", "mean", "--keep-columns"), variants=False),
    Case("max-shuffled", ("--pool", "max", "--no-rc", "--strand-aware"), variants=False, shuffled=True),
    Case("center", ("--pool", "center"), variants=False),
    Case("none", ("--pool", "none"), variants=False),
    Case("mutagenesis", ("--deletions", "--span", 8), variants=False, command="mutagenesis"),
    Case("track-shuffled", ("--value", "entropy"), variants=False, shuffled=True, command="track"),
    Case("whole-fasta", ("--pool", "mean"), variants=False, whole=True),
]


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest network: what is shown here is shown of any."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    return save_model(folder, num_layers=1, expert_layers=(), attention_layers=())


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request) -> Case:
    return request.param


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small units, each an entry of its own; small blocks on the way to the output."""
    monkeypatch.setattr(running, "_CPU_UNIT", UNIT)
    monkeypatch.setattr(keeper, "_SECONDS", 0)
    monkeypatch.setattr(rows, "_BLOCK_ROWS", 16)
    monkeypatch.setattr(chunks, "_CHUNK_ITEMS", 4)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Here and in other processes: with another number the last bits of a sum are others."""
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Whole:
    """What an undisturbed run gives.

    Attributes:
        data: The bytes of the table.
        readings: How often the model is asked.
        windows: How many it reads.
    """

    data: bytes
    readings: int
    windows: int


@pytest.fixture(scope="session")
def undisturbed() -> dict[Case, Whole]:
    """What undisturbed runs give; each is done once for all tests."""
    return {}


def run_to_end(work, words, output="out.parquet") -> bytes:
    """The bytes of a run that must succeed and leave nothing else."""
    result = work.run(*words, "-o", output)
    assert result.exit_code == 0, result.output
    path = Path(output)
    assert [each for each in work.folder.iterdir() if each.name.startswith(path.name)] == [work.folder / path]
    return path.read_bytes()


class Answers:
    """What the model is asked for: how often, how many windows; stopped where it is to be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = self.windows = 0
        self.stop_at: int | None = None
        self.error: type[BaseException] | Callable[[], BaseException] = KeyboardInterrupt
        real = WindowReader.answer

        def watched(reader, requests):
            if self.calls == self.stop_at:
                raise self.error()
            self.calls += 1
            before = reader.windows
            answers = real(reader, requests)
            self.windows += reader.windows - before
            return answers

        monkeypatch.setattr(WindowReader, "answer", watched)

    def reset(self, *, stop_at: int | None = None) -> None:
        self.calls = self.windows = 0
        self.stop_at = stop_at


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    return Answers(monkeypatch)


@pytest.fixture
def whole(work, undisturbed, answers) -> Callable[[Case], Whole]:
    """What an undisturbed run of a case gives."""

    def found(case: Case) -> Whole:
        if case not in undisturbed:
            answers.reset()
            data = run_to_end(work, case.words(work), "undisturbed.parquet")
            undisturbed[case] = Whole(data, answers.calls, answers.windows)
        return undisturbed[case]

    return found
