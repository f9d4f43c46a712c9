"""Embeddings as they are written: float32, or float16 at half the size."""

from __future__ import annotations

import logging
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

__all__ = ["EMBEDDING_DTYPES", "EmbeddingDtype", "Rounding"]

EmbeddingDtype = Literal["float32", "float16"]
EMBEDDING_DTYPES: tuple[EmbeddingDtype, ...] = get_args(EmbeddingDtype)

logger = logging.getLogger(__name__)


class Rounding:
    """Rounds embeddings to a dtype; the first with a value beyond its range is a warning."""

    def __init__(self, dtype: EmbeddingDtype) -> None:
        self._dtype = np.dtype(dtype)
        self._has_warned = False

    def __call__(self, embedding: npt.NDArray[np.float32] | None) -> npt.NDArray[Any] | None:
        """(d,) in and out; None stays None, and what is beyond the range becomes infinite."""
        if embedding is None or embedding.dtype == self._dtype:
            return embedding
        with np.errstate(over="ignore"):
            rounded = embedding.astype(self._dtype)
        if not self._has_warned and np.isinf(rounded).any():
            self._warn(embedding)
        return rounded

    def _warn(self, embedding: npt.NDArray[np.float32]) -> None:
        self._has_warned = True
        logger.warning(
            "an embedding holds %.6g, beyond the largest %s, %.6g: such values are written as inf; "
            "pass --embedding-dtype float32 to keep them",
            embedding[np.abs(embedding).argmax()], self._dtype, np.finfo(self._dtype).max,
        )  # fmt: skip
