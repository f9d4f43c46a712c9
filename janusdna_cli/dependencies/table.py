"""The table of `dependencies`: its columns, and a map as its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from janusdna_cli.dependencies.dependency_map import DependencyMap
from janusdna_cli.outputs.schemas import described

__all__ = ["SCHEMA", "rows"]

_BASES = np.array([*"ACGT"])

SCHEMA = pa.schema(
    [
        described("chrom", pa.string(), "contig, as in the region", nullable=False),
        described("i", pa.int64(), "position of the base that is substituted, 1-based", nullable=False),
        described("j", pa.int64(), "position whose prediction changes, 1-based", nullable=False),
        described("ref", pa.string(), "the reference's base at i", nullable=False),
        described("alt", pa.string(), "the base that stands there instead"),
        described("dependency", pa.float32(), "largest change of log2 odds of a base at j, bits"),
    ]
)


def rows(found: DependencyMap) -> Iterator[dict[str, Any]]:
    """Columns of the rows of one base i after the other, by j and alt; no alt where it is none itself."""
    positions = found.positions
    for base, code in enumerate(found.codes):
        alleles = np.flatnonzero(np.arange(len(_BASES)) != code) if code >= 0 else np.array([], np.int64)
        each = max(1, len(alleles))
        count = each * len(positions)
        # The bases of the reference come from the FASTA upper-case; what is none of these is told as N.
        values = found.by_allele[base, alleles].T.ravel() if len(alleles) else np.full(count, np.nan)
        yield {
            "chrom": [found.chrom] * count,
            "i": np.full(count, positions[base]),
            "j": np.repeat(positions, each),
            "ref": [str(_BASES[code]) if code >= 0 else "N"] * count,
            "alt": _BASES[alleles].tolist() * len(positions) if len(alleles) else [None] * count,
            "dependency": pa.array(values, pa.float32(), mask=np.isnan(values)),
        }
