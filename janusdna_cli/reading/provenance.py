"""What an output says of its origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import janusdna
from janusdna.reader import Model
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.outputs.parquet import bounded_checksums
from janusdna_cli.outputs.schemas import SCHEMA_VERSION
from janusdna_cli.reading.settings import ModelSettings

__all__ = ["origin"]


def origin(
    settings: ModelSettings,
    model: Model,
    reference: Reference | None,
    window: int,
    *,
    command: Sequence[str],
    contigs: Mapping[str, str | None],
) -> dict[str, Any]:
    """What makes an output reproducible, as JSON values.

    Args:
        settings: Of the run.
        model: Who reads.
        reference: What is read; None where the input has the bases.
        window: Bases of context.
        command: The command line.
        contigs: MD5 of each contig that was read; None where it cannot be told.
    """
    info = model.info
    return {
        "version": janusdna.__version__,
        "command": list(command),
        "model": {"name": info.name, "sha256": info.sha256},
        **({} if reference is None else {"reference": Path(reference.path).name}),
        **bounded_checksums(contigs),
        "window": window,
        "both_strands": settings.both_strands,
        "dtype": info.dtype,
        "kv_dtype": info.kv_dtype,
        "device": info.device,
        "kernels": info.kernels,
        "schema_version": SCHEMA_VERSION,
    }
