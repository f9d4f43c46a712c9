"""What is kept of windows that both streams have walked: all that a later reading of them needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from janusdna.nn.stream import LayerStates
from janusdna.ops.attention import padded_size
from janusdna.ops.reference import accumulation_dtype

__all__ = ["WindowMemory"]

# Of so few all are written at each chunk: to know which stand in it, one would have to wait for a GPU.
_FEW_TARGETS = 4096


@dataclass
class WindowMemory:
    """The fusion's keys and values of whole windows, and of the rest what the targets ask for.

    Attributes:
        ids: Tokens, (B, T).
        targets: Positions to read, ascending, (B, n).
        keys, values: (B, H, 2T, c), c being d/H as `padded_size` widens it, rows [R; F]: what lies outside
            [low, high), R from `high` on and F up to `low`, is one slice of them.
        neighbours: F_{t-1} and R_{t+1} of each target, (B, n, 2, d); zeros for a row that does not exist.
        states: For each stream, the states of its layers by where in the window they hold; empty where
            no edit will ask for them.
    """

    ids: Tensor
    targets: Tensor
    keys: Tensor
    values: Tensor
    neighbours: Tensor
    states: tuple[dict[int, LayerStates], dict[int, LayerStates]] = field(default_factory=lambda: ({}, {}))

    @property
    def length(self) -> int:
        """T."""
        return self.ids.shape[1]

    @cached_property
    def targets_here(self) -> npt.NDArray[np.int64]:
        """The targets on the CPU, to plan by."""
        found: npt.NDArray[np.int64] = self.targets.cpu().numpy()
        return found

    def store(self, side: int, start: int, keys: Tensor, values: Tensor) -> None:
        """Take over keys and values of the forward (0) or backward (1) stream's rows from `start` on."""
        at = start if side else self.length + start
        rows = slice(at, at + keys.shape[2])
        self.keys[:, :, rows, : keys.shape[3]] = keys
        self.values[:, :, rows, : values.shape[3]] = values

    def store_neighbours(self, side: int, start: int, rows: Tensor) -> None:
        """Take over those of a stream's rows from `start` on, (B, t, d), that stand beside a target."""
        wanted = self.targets + (1 if side else -1) - start
        there = (wanted >= 0) & (wanted < rows.shape[1])
        if wanted.shape[1] <= _FEW_TARGETS:
            index = wanted.clamp(0, rows.shape[1] - 1)[..., None].expand(-1, -1, rows.shape[2])
            old = self.neighbours[:, :, side]
            self.neighbours[:, :, side] = torch.where(there[..., None], rows.gather(1, index), old)
        else:
            sequence, target = there.nonzero(as_tuple=True)
            self.neighbours[sequence, target, side] = rows[sequence, wanted[sequence, target]]

    def outside(self, row: int, low: int, high: int) -> tuple[Tensor, Tensor]:
        """Keys and values of a window that every position of [low, high) sees, (1, H, m, c)."""
        rows = slice(high, self.length + low)
        return self.keys[row, None, :, rows], self.values[row, None, :, rows]

    def rows_of(self, row: int, side: int, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Keys and values of a stream's rows [start, stop) of a window, (1, H, stop - start, c)."""
        offset = 0 if side else self.length
        rows = slice(offset + start, offset + stop)
        return self.keys[row, None, :, rows], self.values[row, None, :, rows]

    @classmethod
    def empty(
        cls, ids: Tensor, targets: Tensor, *, heads: int, like: Tensor, dtype: torch.dtype
    ) -> WindowMemory:
        """With room for keys and values of `dtype`, and for neighbours as `like`, (..., d)."""
        (batch, length), size = ids.shape, like.shape[-1]
        width = padded_size(size // heads, ids.device)
        make = like.new_empty if width * heads == size else like.new_zeros
        buffer = make(2, batch, heads, 2 * length, width, dtype=dtype)
        neighbours = like.new_zeros(*targets.shape, 2, size, dtype=accumulation_dtype(like.dtype))
        return cls(ids, targets, buffer[0], buffer[1], neighbours)
