"""Parts of a sharded run in, the table of the whole run out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import pyarrow as pa

from janusdna_cli.mutagenesis.records import as_made_records
from janusdna_cli.outputs.destinations import check_destination
from janusdna_cli.outputs.formats import EMBEDDINGS, TABLES, TRACKS, VARIANTS, Format, table_format
from janusdna_cli.runs.finishing import Outgoing, write_table
from janusdna_cli.runs.identity import check_same, file_identity
from janusdna_cli.runs.parts import Parts, open_parts
from janusdna_cli.runs.rows import in_order
from janusdna_cli.runs.target import Target
from janusdna_cli.runtime.progress import progress
from janusdna_cli.runtime.summary import Summary
from janusdna_cli.variants.annotation import as_records

__all__ = ["merge_parts"]

_FORMATS = {
    "score-variants": VARIANTS,
    "embed": (*EMBEDDINGS, Format.parquet_folder),
    "mutagenesis": (*VARIANTS, Format.parquet_folder),
    "predict": (*TABLES, Format.parquet_folder),
    "track": (*TRACKS, Format.parquet_folder),
}


def merge_parts(
    names: Sequence[str],
    output: str,
    *,
    form: Format | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> Summary:
    """Write the rows of all parts of one run in the order of its input.

    Args:
        names: Parts, or folders that hold them.
        output: Where to.
        form: None tells it from the output's suffix.
        overwrite: Replace an output that exists.
        quiet: Show no progress.

    Raises:
        InputError: A part is missing, damaged or of another run; the output cannot be written.
    """
    parts = open_parts(names)
    found = table_format(output, form, formats=_FORMATS[parts.command])
    target = Target(output, found, is_kept=True)
    check_destination(output, overwrite=overwrite, folder=found is Format.parquet_folder)
    summary = Summary(output, "rows")
    with progress("Merging", parts.rows, "rows", quiet=quiet) as bar:
        rows = summary.counted(bar.passing(in_order(parts.sorted_rows(), 0, parts.rows)))
        with _outgoing(parts, rows, target.form) as table:
            write_table(target, table, parts.metadata, overwrite=overwrite)
    return summary.finish(0, 0)


@contextmanager
def _outgoing(parts: Parts, rows: Iterable[pa.Table], form: Format) -> Iterator[Outgoing]:
    """The table as a format takes it; what the rows alone do not tell is read once more."""
    if form is Format.bigwig:
        with parts.opened_reference() as reference:
            yield Outgoing(parts.schema, rows, contigs=reference.lengths)
    elif form not in (Format.vcf, Format.bcf):
        yield Outgoing(parts.schema, rows)
    elif parts.command == "mutagenesis":
        with parts.opened_reference() as reference:
            yield as_made_records(
                rows, reference, _asked_scores(parts), with_percentiles=_has_percentiles(parts)
            )
    else:
        with _beside_records(parts, rows) as table:
            yield table


def _beside_records(parts: Parts, rows: Iterable[pa.Table]) -> AbstractContextManager[Outgoing]:
    before = parts.metadata["run"]["input"]
    check_same(
        before, file_identity(parts.source), place=f"{parts.source}: the run", fix="put the same file there"
    )
    contigs = ((name, None) for name in parts.contigs())
    return as_records(
        parts.source, _asked_scores(parts), rows, contigs, with_percentiles=_has_percentiles(parts)
    )


def _has_percentiles(parts: Parts) -> bool:
    return "background" in parts.metadata


def _asked_scores(parts: Parts) -> tuple[str, ...] | None:
    scores = parts.metadata["scores"]
    return None if scores == "default" else tuple(scores)
