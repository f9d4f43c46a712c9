"""Parts of a sharded run in, the table of the whole run out."""

from __future__ import annotations

from collections.abc import Sequence

from janusdna_cli.outputs.destinations import check_destination
from janusdna_cli.outputs.formats import Format, table_format
from janusdna_cli.runs.finishing import write_table
from janusdna_cli.runs.parts import open_parts
from janusdna_cli.runs.rows import in_order
from janusdna_cli.runs.target import Target
from janusdna_cli.runtime.progress import progress
from janusdna_cli.runtime.summary import Summary

__all__ = ["merge_parts"]


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
    target = Target(output, table_format(output, form), is_kept=True)
    check_destination(output, overwrite=overwrite)
    parts = open_parts(names)
    summary = Summary(output, "rows")
    with progress("Merging", parts.rows, "rows", quiet=quiet) as bar:
        blocks = bar.passing(in_order(parts.sorted_rows(), 0, parts.rows))
        write_table(target, parts.schema, summary.counted(blocks), parts.metadata, overwrite=overwrite)
    return summary.finish(0, 0)
