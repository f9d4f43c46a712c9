"""The Janus head: one attention block over both streams, under a mask that hides x_t at t."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from janusdna.nn.attention import QueryKeyValue, join_heads, split_heads
from janusdna.nn.blocks import Block
from janusdna.nn.edits import EditedRows
from janusdna.nn.feed_forward import SwiGLU
from janusdna.nn.memory import WindowMemory
from janusdna.nn.norm import RMSNorm
from janusdna.ops.attention import Partial, causal_attention, merge, padded
from janusdna.ops.backends import Kernel, Kernels

__all__ = ["JanusFusion"]


class _View(NamedTuple):
    """What a block's targets see within it, in the window or in an edited one.

    Attributes:
        queries: Which of the block's rows are F_{t-1} and then R_{t+1} of the targets, (2n,).
        keys, values: Of rows F and then R, (1, H, m, d/H).
        seen: Which of them each query sees, (2n, m).
        exists: Whether there is such a row, (2n,).
    """

    queries: Tensor
    keys: Tensor
    values: Tensor
    seen: Tensor
    exists: Tensor


class JanusFusion(nn.Module):
    """A pre-norm attention + SwiGLU block over the 2T rows [F; R], read two rows a position.

    F_i comes to know everything but x[i+1] and R_j everything but x[j-1], so the sum of F_{t-1}
    and R_{t+1} is a prediction of position t that has not seen x_t. Both see the same keys: F_k with
    k < t and R_k with k > t.

    Source: Duan et al., arXiv 2505.17257, section 3.3.
    """

    def __init__(
        self,
        *,
        hidden_size: int,
        intermediate_size: int,
        num_heads: int,
        scale: float,
        eps: float,
        kernels: Kernels,
    ) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(hidden_size, eps=eps, kernels=kernels)
        self.attention = QueryKeyValue(hidden_size=hidden_size)
        self.feed_forward_norm = RMSNorm(hidden_size, eps=eps, kernels=kernels)
        self.feed_forward = SwiGLU(
            hidden_size=hidden_size, intermediate_size=intermediate_size, kernels=kernels
        )
        self.num_heads = num_heads
        self.scale = scale
        self.kernels = kernels

    def every_position(self, forward: Tensor, backward: Tensor) -> Tensor:
        """The fused state that predicts each position.

        Args:
            forward: F, (B, T, d).
            backward: R in sequence order, (B, T, d).

        Returns:
            F_{t-1} + R_{t+1} after the block, (B, T, d); at the sequence's ends the one that exists.
        """
        fused = self._fuse(torch.cat((forward, backward), dim=1), self.kernels.fusion)
        fused_forward, fused_backward = fused.chunk(2, dim=1)
        nothing = torch.zeros_like(forward[:, :1])
        before = torch.cat((nothing, fused_forward[:, :-1]), dim=1)
        after = torch.cat((fused_backward[:, 1:], nothing), dim=1)
        return before + after

    def unmasked(self, forward: Tensor, backward: Tensor) -> Tensor:
        """F_t + R_t where every row sees all rows, (B, T, d): predicts positions masked in the input."""
        fused = self._fuse(torch.cat((forward, backward), dim=1), _full_attention)
        return sum(fused.chunk(2, dim=1), start=torch.zeros_like(forward))

    def from_before(self, forward: Tensor) -> Tensor:
        """F_{t-1} where rows see the forward rows up to themselves, (B, T, d); zeros at the first."""
        fused = self._fuse(forward, causal_attention)
        return torch.cat((torch.zeros_like(forward[:, :1]), fused[:, :-1]), dim=1)

    def _fuse(self, rows: Tensor, attention: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> Tensor:
        normed = self.attention_norm(rows)
        q, k, v = self._queries(normed), *self._keys_values(normed)
        return self._finish(rows, join_heads(attention(q, k, v, self.scale)))

    def keys_values(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values, (B, H, t, d/H) each, of rows of either stream, (B, t, d)."""
        if (passes := self.kernels.passes) is None:
            return self._keys_values(self.attention_norm(rows))
        norm, into = self.attention_norm, (self.attention.k_proj.weight, self.attention.v_proj.weight)
        k, v = passes.project(rows, norm.weight, norm.eps, *into)
        return split_heads(k, self.num_heads), split_heads(v, self.num_heads)

    def targets(self, memory: WindowMemory, attend: Kernel) -> Tensor:
        """The fused states that predict all targets, (B, n, d), as `every_position`, by one `attend`."""
        rows = memory.neighbours.transpose(1, 2).flatten(1, 2)
        q = self._queries(self.attention_norm(rows))
        asking = padded(q).to(memory.keys.dtype)
        mixed = attend(asking, memory.keys, memory.values, memory.targets, self.scale)[..., : q.shape[-1]]
        fused = self._finish(rows, join_heads(mixed).to(self.attention.o_proj.weight.dtype))
        exists = torch.cat((memory.targets > 0, memory.targets < memory.length - 1), dim=1)
        before, after = (fused * exists[..., None]).chunk(2, dim=1)
        return before + after

    def block(
        self, memory: WindowMemory, block: Block, edited: Sequence[EditedRows]
    ) -> tuple[Tensor, list[Tensor]]:
        """The fused states that predict a block's targets, and the edited windows near their edits.

        What lies outside the block is seen by all of them and attended to once, by the targets'
        neighbours and by the rows that are new in edited windows alike.

        Args:
            memory: Of the windows that were walked.
            block: What to read.
            edited: The new rows of each of its edits.

        Returns:
            As `every_position`: for the targets, (n, d), and for each edit at the positions that it
            reads, (m, d).
        """
        own = memory.neighbours[block.row, block.columns].transpose(0, 1).flatten(0, 1)
        rows = torch.cat([own, *(new for edit in edited for new in (edit.forward, edit.backward))])
        normed = self.attention_norm(rows[None])
        projected = self._queries(normed), *self._keys_values(normed)
        q, k, v = (padded(part).to(memory.keys.dtype) for part in projected)
        far = None
        if block.low > 0 or block.high < memory.length:
            far = self.kernels.attention(q, *memory.outside(block.row, block.low, block.high), self.scale)
        views, at = [_unedited_view(memory, block)], len(own)
        for edit in edited:
            views.append(_edited_view(memory, block, edit, at, k, v))
            at += len(edit.forward) + len(edit.backward)
        mixed = torch.cat([self._attend(q, far, view) for view in views], dim=2)[
            ..., : projected[0].shape[-1]
        ]
        asking = rows[torch.cat([view.queries for view in views])]
        fused = self._finish(asking, join_heads(mixed)[0].to(self.attention.o_proj.weight.dtype))
        fused = fused * torch.cat([view.exists for view in views])[:, None]
        parts = [sum(part.chunk(2)) for part in fused.split([len(view.queries) for view in views])]
        return parts[0], parts[1:]

    def _attend(self, q: Tensor, far: Partial | None, view: _View) -> Tensor:
        """Near attention of a view's queries merged with their far one, (1, H, 2n, d/H)."""
        asked = q[:, :, view.queries]
        distant = None if far is None else (far[0][:, :, view.queries], far[1][:, :, view.queries])
        if view.keys.shape[2] == 0 and distant is not None:
            return distant[0]
        near = self.kernels.attention(asked, view.keys, view.values, self.scale, seen=view.seen)
        return near[0] if distant is None else merge(near, distant)[0]

    def _queries(self, normed: Tensor) -> Tensor:
        return split_heads(self.attention.q_proj(normed), self.num_heads)

    def _keys_values(self, normed: Tensor) -> tuple[Tensor, Tensor]:
        k, v = (
            split_heads(p(normed), self.num_heads) for p in (self.attention.k_proj, self.attention.v_proj)
        )
        return k, v

    def _finish(self, rows: Tensor, mixed: Tensor) -> Tensor:
        if (passes := self.kernels.passes) is None:
            rows = rows + self.attention.o_proj(mixed)
        else:
            rows = passes.add_product(rows, mixed, self.attention.o_proj.weight)
        return self.feed_forward.add(rows, self.feed_forward_norm)[0]


def _full_attention(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v, scale=scale)


def _unedited_view(memory: WindowMemory, block: Block) -> _View:
    targets = memory.targets[block.row, block.columns]
    forward = memory.rows_of(block.row, 0, block.low, block.high - 1)
    backward = memory.rows_of(block.row, 1, block.low + 1, block.high)
    keys, values = (torch.cat(pair, dim=2) for pair in zip(forward, backward, strict=True))
    queries = torch.arange(2 * len(targets), device=targets.device)
    within = torch.arange(block.low, block.high, device=targets.device)
    seen, exists = _seen(targets, within[:-1], within[1:], memory.length)
    return _View(queries, keys, values, seen, exists)


def _edited_view(
    memory: WindowMemory, block: Block, edited: EditedRows, at: int, keys: Tensor, values: Tensor
) -> _View:
    """As of the window, but with the edit's new rows, which stand at `at` among the block's rows."""
    edit, device = edited.edit, keys.device
    count = block.columns.stop - block.columns.start
    # F up to the edit and R from it on are the window's own, in the edited window `shift` further right.
    last_forward, first_backward = edited.forward_start, edited.backward_stop
    new_forward = slice(at, at + len(edited.forward))
    new_backward = slice(new_forward.stop, new_forward.stop + len(edited.backward))
    column = int(np.searchsorted(memory.targets_here[block.row, block.columns], edit.first))
    of_first = column - edit.first  # from a position to its column
    spans = (
        (of_first + edit.first, of_first + last_forward + 1),
        (new_forward.start, new_forward.stop),
        (new_backward.start, new_backward.stop),
        (count + of_first + first_backward - 1 - edit.shift, count + of_first + edit.last),
    )
    queries = torch.cat([torch.arange(*span, device=device) for span in spans])

    def joined(new: Tensor, forward: Tensor, backward: Tensor) -> Tensor:
        return torch.cat((forward, new[:, :, new_forward], new[:, :, new_backward], backward), dim=2)

    forward = memory.rows_of(block.row, 0, block.low, max(block.low, last_forward))
    backward = memory.rows_of(block.row, 1, min(block.high, first_backward - edit.shift), block.high)
    seen, exists = _seen(
        torch.arange(edit.first, edit.stop, device=device),
        torch.arange(block.low, edit.stop - 1, device=device),
        torch.arange(edit.first + 1, block.high + edit.shift, device=device),
        memory.length + edit.shift,
    )
    return _View(
        queries,
        joined(keys, forward[0], backward[0]),
        joined(values, forward[1], backward[1]),
        seen,
        exists,
    )


def _seen(targets: Tensor, forward: Tensor, backward: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Which keys the rows F_{t-1} and R_{t+1} of the targets see, and whether these rows exist.

    Args:
        targets: (n,).
        forward, backward: Positions of the keys.
        length: Of the sequence.
    """
    seen = torch.cat((forward < targets[:, None], backward > targets[:, None]), dim=1)
    return seen.repeat(2, 1), torch.cat((targets > 0, targets < length - 1))
