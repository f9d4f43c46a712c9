"""A tiny model with clear preferences, the files around it, and plain readings to compare with."""

import io
import itertools
import random
import sys
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer.testing
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from typer.testing import CliRunner

import janusdna
from janusdna import ModelConfig
from janusdna.checkpoint import Checkpoint, save
from janusdna.nn.model import JanusDNA
from janusdna_cli.app import app

from ..networks import WIDTH, draw_weights

COMPLEMENT = str.maketrans("ACGT", "TGCA")
TRAINED_LENGTH = 64


def save_model(
    directory: Path,
    *,
    num_layers: int = 3,
    expert_layers: tuple[int, ...] = (1,),
    attention_layers: tuple[int, ...] = (2,),
    seed: int = 1,
) -> Path:
    """A network in which each base matters and float32 is within 2e-6 of float64."""
    config = ModelConfig(
        hidden_size=WIDTH,
        intermediate_size=32,
        fusion_scale_width=32,
        num_layers=num_layers,
        num_experts=4,
        expert_layers=expert_layers,
        attention_layers=attention_layers,
        trained_length=TRAINED_LENGTH,
    )
    network = JanusDNA(config)
    draw_weights(network, seed)
    tensors = {name: parameter.detach() for name, parameter in network.named_parameters()}
    save(Checkpoint("tiny", config, tensors, ""), directory)
    return directory


class Oracle:
    """Whole sequences read in float64, one strand at a time: (2, n, ...) in forward order and letters."""

    def __init__(self, path: Path) -> None:
        self.model = janusdna.load(path, device="cpu", dtype="float64")
        self._read = lru_cache(maxsize=None)(self._read_strand)

    def logp(self, sequence: str) -> np.ndarray:
        """Log p over A, C, G, T at every base by both strands, (2, n, 4)."""
        forward, reverse = (self._read(strand)[1] for strand in _strands(sequence))
        return np.stack([forward, reverse[::-1, ::-1]])

    def hidden(self, sequence: str) -> np.ndarray:
        """Hidden states of every base by both strands, (2, n, d)."""
        forward, reverse = (self._read(strand)[0] for strand in _strands(sequence))
        return np.stack([forward, reverse[::-1]])

    def _read_strand(self, sequence: str) -> tuple[np.ndarray, np.ndarray]:
        out = self.model.read([sequence])
        logits = out.logits[0].numpy()[:, 7:11]
        return out.hidden[0].numpy(), logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def _strands(sequence: str) -> tuple[str, str]:
    return sequence, sequence.upper().translate(COMPLEMENT)[::-1]


def reverse_complement(sequence: str) -> str:
    return _strands(sequence)[1]


def random_bases(length: int, seed: int = 0) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def no_attention_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "plain", attention_layers=(), seed=2)


@pytest.fixture(scope="session")
def oracle(model_dir: Path) -> Oracle:
    return Oracle(model_dir)


@pytest.fixture(scope="session")
def oracle_of():
    return Oracle


# The program's commands, made once and not for each run.
typer.testing._get_command = lru_cache(None)(typer.testing._get_command)


class Runner(CliRunner):
    """Standard input as a program has it: Typer's own is no `BufferedReader`."""

    @contextmanager
    def isolation(self, input=None, env=None, color=False):  # noqa: A002 - the name of the overridden
        with super().isolation(None, env, color) as streams:
            sys.stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(input or b"")))
            yield streams


class Workspace:
    """A folder with files and the command line run in it."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder = folder
        self.model = model

    def fasta(self, name: str = "genome.fa", /, *, width: int = 50, **contigs: str) -> str:
        """A FASTA of `contigs`, in lines of `width` bases."""
        text = ""
        for contig, bases in contigs.items():
            lines = [bases[i : i + width] for i in range(0, len(bases), width)]
            text += f">{contig}\n" + "".join(line + "\n" for line in lines)
        return self.file(name, text)

    def vcf(self, *records: str, name: str = "variants.vcf", meta: str = "") -> str:
        """A VCF of records such as `chr1 5 . A T`, with or without what follows ALT."""
        lines = ["\t".join([*record.split(), *"..."][:8]) + "\n" for record in records]
        header = "##fileformat=VCFv4.2\n" + meta + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        return self.file(name, header + "".join(lines))

    def bed(self, *lines: str, name: str = "regions.bed") -> str:
        """A BED of lines such as `chr1 5 10`."""
        return self.file(name, "".join("\t".join(line.split(" ")) + "\n" for line in lines))

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def run(self, *arguments: object, stdin: bytes | None = None, **env: str):
        """Run the command line."""
        clean = {"JANUSDNA_MODEL": None, "JANUSDNA_FASTA": None, "JANUSDNA_DEBUG": None, "COLUMNS": "200"}
        words = [str(argument) for argument in arguments]
        return Runner().invoke(app, words, input=stdin, env=clean | env, prog_name="janusdna")

    def table(self, *arguments: object, stdin: bytes | None = None, **env: str) -> pd.DataFrame:
        """What a command that must succeed writes."""
        output = self.folder / "out.parquet"
        result = self.run(*arguments, "-o", output, "--overwrite", "--model", self.model, stdin=stdin, **env)
        assert result.exit_code == 0, result.output
        return pd.read_parquet(output)

    def score(self, *arguments: object, **options) -> pd.DataFrame:
        return self.table("score-variants", *arguments, **options)

    def embed(self, *arguments: object, **options) -> pd.DataFrame:
        return self.table("embed", *arguments, **options)


@pytest.fixture
def work(tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    return Workspace(tmp_path, model_dir)


@pytest.fixture
def bases():
    return random_bases


@pytest.fixture
def revcomp():
    return reverse_complement


@pytest.fixture
def saved_figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are written, as they come."""
    figures: list[Figure] = []
    save = Figure.savefig

    def noted(self: Figure, *arguments, **options) -> None:
        figures.append(self)
        save(self, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", noted)
    return figures


@pytest.fixture
def assert_legible(monkeypatch: pytest.MonkeyPatch):
    """Whether all of a figure's text lies within it, is of a size that print takes, and covers no other."""
    boxes: dict[Text, Bbox] = {}
    draw = Text.draw

    def noted(self: Text, renderer) -> None:
        if self.get_visible() and self.get_text().strip():
            boxes[self] = self.get_window_extent(renderer)
        draw(self, renderer)

    monkeypatch.setattr(Text, "draw", noted)

    def check(figure: Figure, *, least: float = 6.0) -> None:
        boxes.clear()
        figure.draw_without_rendering()
        for text, box in boxes.items():
            inside = min(box.x0, box.y0) >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
            assert inside, f"{text} is cut off"
            assert text.get_size() >= least, f"{text} is too small"
        for (one, a), (other, b) in itertools.combinations(boxes.items(), 2):
            across = min(a.x1, b.x1) - max(a.x0, b.x0)
            down = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert across < 1 or down < 1, f"{one} covers {other}"

    return check
