"""Indexes by which tabix and bcftools find the rows of a region in a bgzipped table."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pysam

from janusdna_cli.outputs.bedgraph import with_values
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.htslib import silent_htslib

__all__ = ["Index"]

_END_OF_TBI = 2**29

_log = logging.getLogger(__name__)


class Index:
    """Looks whether rows are sorted while they are written; indexes the finished file.

    Args:
        form: What is written: VCF, BCF, bedGraph or TSV.
        schema: Of its tables: `chrom` and `pos`, or `chrom`, `start` and `end`.
    """

    def __init__(self, form: Format, schema: Any) -> None:
        self._form = form
        self._columns = schema.names
        self._start = "start" if "start" in self._columns else "pos"
        self._is_sorted = True
        self._contigs: set[str] = set()
        self._last = ("", 0)
        self._longest = 0

    def add(self, table: Any) -> None:
        """Looks at some rows: contigs in blocks, of which no start is smaller than the one before."""
        if self._form is Format.bedgraph:
            table = with_values(table)
        if not self._is_sorted or not table.num_rows:
            return
        contigs = table["chrom"].combine_chunks().dictionary_encode()
        numbers, starts = contigs.indices.to_numpy(), table[self._start].to_numpy()
        changes = np.diff(numbers) != 0
        firsts = [0, *(np.flatnonzero(changes) + 1).tolist()]
        blocks = contigs.take(firsts).to_pylist()
        self._is_sorted = bool((changes | (np.diff(starts) >= 0)).all()) and self._follow(blocks, starts[0])
        self._last = (contigs[-1].as_py(), starts[-1])
        self._longest = max(self._longest, int(starts.max()))

    def _follow(self, blocks: list[str], start: int) -> bool:
        """Whether blocks of contigs come in order after what was there."""
        contig, last = self._last
        if blocks[0] == contig:
            if start < last:
                return False
            del blocks[0]
        fresh = set(blocks)
        is_new = len(fresh) == len(blocks) and not fresh & self._contigs
        self._contigs |= fresh
        return is_new

    def build(self, path: Path, name: str) -> None:
        """Writes the index beside the finished file, with `.tbi` or `.csi` after its name.

        A file that cannot be indexed is as good without: that is told and no error.

        Args:
            path: The file.
            name: As messages name it.
        """
        if not self._is_sorted:
            _log.info("%s: its rows are not sorted by contig and position, so it has no index", name)
            return
        needs_csi = self._form is Format.bcf or self._longest >= _END_OF_TBI
        if not any(self._built(path, suffix) for suffix in (".tbi", ".csi")[needs_csi:]):
            _log.warning("%s: htslib cannot index it; it is complete without", name)

    def _built(self, path: Path, suffix: str) -> bool:
        index = path.with_name(path.name + suffix)
        try:
            with silent_htslib():
                pysam.tabix_index(
                    str(path), index=str(index), csi=suffix == ".csi", force=True, **self._layout()
                )
        except (OSError, ValueError):
            with suppress(OSError):
                index.unlink(missing_ok=True)
            return False
        return True

    def _layout(self) -> dict[str, Any]:
        if self._form is Format.bedgraph:
            return {"preset": "bed"}
        if self._form is not Format.tsv:
            return {"preset": str(self._form)}
        at = self._columns.index
        if self._start == "pos":
            where = {"start_col": at("pos"), "end_col": at("pos")}
        else:
            where = {"start_col": at("start"), "end_col": at("end"), "zerobased": True}
        return {"seq_col": at("chrom"), "line_skip": 1, **where}
