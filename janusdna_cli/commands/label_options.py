"""Options that the commands about labels share; their settings own the defaults."""

from typing import Annotated

import typer

from janusdna.labels import Pool as PoolChoice
from janusdna.labels import Strands as StrandsChoice
from janusdna_cli.commands import options
from janusdna_cli.labelled.encoding import KindChoice

__all__ = [
    "Fasta",
    "Folds",
    "Label",
    "MaxTrain",
    "PadTo",
    "Pool",
    "ReferenceToo",
    "RunFolder",
    "Seeds",
    "Split",
    "SplitBy",
    "Strands",
    "Strict",
    "Task",
    "Test",
    "ValidShare",
    "VariantWindow",
    "Where",
    "parse_seeds",
]

_SPLIT = "What is learned from, and what is tested"
_READ = "How sequences are read"


def parse_seeds(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between: `1`, `1,2,3`.

    Raises:
        typer.BadParameter: It is no such list.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(f"--seeds: found {text!r}, expected whole numbers with commas between")
    return tuple(int(part) for part in parts)


Fasta = Annotated[
    str | None,
    typer.Option("--fasta", "-f", metavar="FASTA", help="The genome of a BED, a VCF, or coordinates."),
]

RunFolder = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="RUNDIR",
        show_default="<input stem>.janusdna-run",
        help="The run's folder.",
    ),
]

Label = Annotated[
    str | None,
    typer.Option(
        "--label",
        metavar="COLUMN",
        show_default="label",
        help="Column of the label, several with commas between; of a BED its number; INFO/NAME of a VCF.",
    ),
]

Task = Annotated[
    KindChoice, typer.Option("--task", help="What the labels are; auto tells it by their values.")
]

Test = Annotated[
    str | None,
    typer.Option(
        "--test", metavar="INPUT", rich_help_panel=_SPLIT, help="Another input, which is tested on."
    ),
]

ValidShare = Annotated[
    float,
    typer.Option(
        "--valid-share",
        rich_help_panel=_SPLIT,
        help="Share drawn to tell the best epoch; as many again are tested where nothing else is.",
    ),
]

Split = Annotated[
    str | None,
    typer.Option(
        "--split", metavar="COLUMN", rich_help_panel=_SPLIT, help="Column that says train, valid or test."
    ),
]

SplitBy = Annotated[
    str | None,
    typer.Option("--split-by", metavar="contig", rich_help_panel=_SPLIT, help="Hold out whole contigs."),
]

Where = Annotated[
    str | None,
    typer.Option(
        "--where", metavar="COLUMN=VALUE", rich_help_panel=_SPLIT, help="Take these rows of a table alone."
    ),
]

MaxTrain = Annotated[
    int | None,
    typer.Option(
        "--max-train",
        metavar="N",
        min=1,
        rich_help_panel=_SPLIT,
        help="Learn from N sequences at most, drawn by the seed.",
    ),
]

ReferenceToo = Annotated[
    bool,
    typer.Option("--reference-too", rich_help_panel=_READ, help="Of eQTLs: read REF beside ALT."),
]

Folds = Annotated[
    int | None,
    typer.Option("--folds", metavar="K", min=2, rich_help_panel=_SPLIT, help="Test each of K parts once."),
]

Strict = Annotated[
    bool,
    typer.Option(
        "--strict", rich_help_panel=_SPLIT, help="End where two parts share a sequence, on either strand."
    ),
]

Seeds = Annotated[
    str,
    typer.Option(
        "--seeds", "--seed", metavar="A,B", rich_help_panel=_SPLIT, help="Of all chance; once for each."
    ),
]

Pool = Annotated[
    PoolChoice,
    typer.Option("--pool", rich_help_panel=_READ, help="How a sequence becomes one vector."),
]

Strands = Annotated[
    StrandsChoice,
    typer.Option(
        "--rc",
        rich_help_panel=_READ,
        help="Strands: one at random in training, both in prediction (test); always both; the given one; or "
        "that in training and both in prediction (predict).",
    ),
]

VariantWindow = Annotated[
    int | None,
    typer.Option(
        "--window",
        "-w",
        metavar="N",
        parser=options.parse_window,
        show_default="the model's trained length",
        rich_help_panel=_READ,
        help="Bases read around a variant of a VCF.",
    ),
]

PadTo = Annotated[
    int | None,
    typer.Option(
        "--pad-to",
        metavar="N",
        parser=options.parse_window,
        rich_help_panel=_READ,
        help="Pad sequences on the left, and cut them, to N; as they are without.",
    ),
]
