"""What an output says of its origin, gathered while it is made."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import janusdna
from janusdna.reader import Model
from janusdna_cli.genome.checksums import Checksums
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.outputs.parquet import bounded_checksums
from janusdna_cli.outputs.schemas import SCHEMA_VERSION
from janusdna_cli.reading.settings import ModelSettings

__all__ = ["Provenance"]


class Provenance:
    """What makes an output reproducible; the contigs that are read are hashed beside the work.

    Args:
        settings: Of the run.
        model: Who reads.
        reference: What is read.
        window: Bases of context.
        is_kept: Whether the output has a place for it; else nothing is hashed.
    """

    def __init__(
        self, settings: ModelSettings, model: Model, reference: Reference, window: int, *, is_kept: bool
    ) -> None:
        self._settings = settings
        self._model = model.info
        self._reference = reference
        self._window = window
        self._checksums = Checksums(reference) if is_kept else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._checksums is not None:
            self._checksums.close()

    def reads(self, contig: str) -> None:
        """Note that bases of a contig go into the output."""
        if self._checksums is not None:
            self._checksums.start(contig)

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON values; waits until the contigs are hashed."""
        return {
            "version": janusdna.__version__,
            "command": sys.argv,
            "model": {"name": self._model.name, "sha256": self._model.sha256},
            "reference": Path(self._reference.path).name,
            **bounded_checksums({} if self._checksums is None else self._checksums.result()),
            "window": self._window,
            "both_strands": self._settings.both_strands,
            "dtype": self._model.dtype,
            "kv_dtype": self._model.kv_dtype,
            "device": self._model.device,
            "kernels": self._model.kernels,
            "schema_version": SCHEMA_VERSION,
        }
