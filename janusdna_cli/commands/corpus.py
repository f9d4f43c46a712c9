"""`janusdna corpus`."""

from typing import Annotated

import typer

from janusdna_cli.commands import options
from janusdna_cli.corpus.kinds import Kind
from janusdna_cli.corpus.settings import LOSS_WEIGHTS, CorpusSettings
from janusdna_cli.errors import InputError
from janusdna_cli.runtime.progress import configure_logging

__all__ = ["corpus"]

_SPLITS = "What is held out"
_WEIGHTS = "What is learned from most"


def corpus(
    fasta: Annotated[
        list[str],
        typer.Option(
            "--fasta",
            "-f",
            metavar="[NAME=]FASTA",
            help="A genome, and what it is called: plain, bgzip or gzip; once for each.",
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help="The folder of the tables.")],
    genes: Annotated[
        list[str] | None,
        typer.Option(
            "--genes",
            metavar="[NAME=]FILE",
            show_default="none",
            help="Genes of the genome of that name: GTF, GFF3 or a UCSC table such as refGene.txt.",
        ),
    ] = None,
    intervals: Annotated[
        str | None,
        typer.Option(
            "--intervals",
            metavar="BED",
            rich_help_panel=_SPLITS,
            help="What is taken; the fourth column is train, valid or test.",
        ),
    ] = CorpusSettings.intervals,
    valid_contigs: Annotated[str | None, options.valid_contigs_option(_SPLITS)] = None,
    valid_share: Annotated[float, options.valid_share_option(_SPLITS)] = CorpusSettings.valid_share,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(
            "--hold-out",
            metavar="NAME",
            show_default="none",
            rich_help_panel=_SPLITS,
            help="A genome that is all test, and never trained on.",
        ),
    ] = None,
    gene_weight: Annotated[
        float,
        typer.Option(
            "--gene-weight",
            rich_help_panel=_WEIGHTS,
            help="How often a base of a gene's pieces is read, where others are once.",
        ),
    ] = CorpusSettings.gene_weight,
    flank: Annotated[
        int,
        typer.Option(
            "--flank", min=0, rich_help_panel=_WEIGHTS, help="Bases on each side of these, read as often."
        ),
    ] = CorpusSettings.flank,
    loss_weight: Annotated[
        list[str] | None,
        typer.Option(
            "--loss-weight",
            metavar="KIND=WEIGHT",
            show_default=" ".join(f"{kind}={weight:g}" for kind, weight in LOSS_WEIGHTS.items()) + ", else 1",
            rich_help_panel=_WEIGHTS,
            help=f"What a base of a kind counts in the loss, once for each: {', '.join(Kind.__members__)}.",
        ),
    ] = None,
    overwrite: options.Overwrite = CorpusSettings.overwrite,
    quiet: options.Quiet = CorpusSettings.quiet,
    verbose: options.Verbose = False,
) -> None:
    """Make tables of what pretrain learns from: genes often, repeats for little.

    Writes intervals.bed and weights.bed, which pretrain takes as --intervals and --weights, and corpus.json,
    which says how many bases of which kind there are. In genomes without genes, stretches that are like exons
    of those with genes are read often, too.

    Example: janusdna corpus --fasta human=hg38.fa --genes human=hg38.gtf.gz --fasta cow=cow.fa -o corpus
    """
    configure_logging(quiet=quiet, verbose=verbose)
    with options.told_as_usage():
        settings = CorpusSettings(
            fasta=tuple(fasta),
            output=output,
            genes=tuple(genes or ()),
            intervals=intervals,
            valid_contigs=options.names(valid_contigs) or (),
            valid_share=valid_share,
            hold_out=tuple(hold_out or ()),
            gene_weight=gene_weight,
            flank=flank,
            loss_weights=dict(_kind_and_weight(given) for given in loss_weight or ()),
            overwrite=overwrite,
            quiet=quiet,
        )
    from janusdna_cli.corpus.making import make_corpus

    make_corpus(settings)


def _kind_and_weight(given: str) -> tuple[str, float]:
    """The parts of `KIND=WEIGHT`."""
    kind, _, weight = given.partition("=")
    try:
        return kind, float(weight)
    except ValueError:
        raise InputError(f"--loss-weight: found {given!r}, expected KIND=WEIGHT such as repeat=0.3") from None
