"""`janusdna demo`."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from janusdna_cli.commands import options
from janusdna_cli.runtime.progress import configure_logging

__all__ = ["demo"]


def demo(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    run: Annotated[
        bool, typer.Option("--run", help="Also score the variants, embed the regions and show the table.")
    ] = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Make a small genome, regions and variants to try every command on.

    Example: janusdna demo demo && janusdna score-variants demo/variants.vcf
    """
    configure_logging(quiet=quiet)
    from janusdna_cli.demo_data import make_demo

    files = make_demo(directory, overwrite=overwrite)
    if run:
        _run(directory, overwrite=overwrite, quiet=quiet)
        return
    typer.echo(_command("score-variants", files.variants))
    typer.echo(_command("embed", files.genome, files.regions, "-o", "emb.parquet"))


def _command(*words: str | Path) -> str:
    """What a shell takes."""
    return shlex.join(["janusdna", *map(str, words)])


def _run(directory: Path, *, overwrite: bool, quiet: bool) -> None:
    from janusdna_cli.demo_data import DemoFiles
    from janusdna_cli.regions.embedding import EmbedSettings, embed_regions
    from janusdna_cli.variants.scoring import ScoreSettings, score_variants

    files = DemoFiles(directory)
    scores, embeddings = directory / "scores.parquet", directory / "embeddings.parquet"
    embed_regions(
        EmbedSettings(
            fasta=str(files.genome),
            regions=str(files.regions),
            output=str(embeddings),
            overwrite=overwrite,
            quiet=quiet,
        )
    )
    score_variants(
        ScoreSettings(
            vcf=str(files.variants),
            fasta=str(files.genome),
            output=str(scores),
            overwrite=overwrite,
            quiet=quiet,
        )
    )
    _show(scores)
    typer.echo(f"The whole table: {scores}\nThe regions' embeddings: {embeddings}")


def _show(path: Path) -> None:
    import pandas as pd
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    columns = ["pos", "id", "ref", "alt", "status", "llr", "delta_pll", "pct"]
    title = "llr below 0: the model finds ALT less likely than REF; pct: of random alleles of its kind"
    table = Table(title=title, box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        numeric = column in ("pos", "llr", "delta_pll", "pct")
        table.add_column(column, no_wrap=True, justify="right" if numeric else "left")
    for row in pd.read_parquet(path)[columns].itertuples(index=False):
        table.add_row(*(_cell(value) for value in row))
    Console().print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.3f}"
    return "" if value is None else str(value)
