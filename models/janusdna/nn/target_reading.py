"""Targets of windows, and edited windows near their edits, read with no more work than they ask for.

both streams walk the windows -> a memory of them -> blocks of targets and edits
-> the streams walk the few bases that an edit changes for them -> the fusion, block by block
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from janusdna.nn.blocks import Block, blocks_of, widest_block
from janusdna.nn.edits import Edit, EditedRows, LocalWalk, backward_walk, cut_points, forward_walk
from janusdna.nn.fusion import JanusFusion
from janusdna.nn.memory import WindowMemory
from janusdna.nn.stream import Stream
from janusdna.nn.streams import Streams

__all__ = ["TargetReading"]

# Rows of a batch between two cuts at least, so that many edits do not make the chunks of a walk small.
_CLOSEST_CUTS = 512
# Bases of edited windows that are walked together.
_EDITED_BASES = 1 << 14
# Walks go into one batch up to twice the length of its shortest and these bases more.
_ALIKE = 64


class TargetReading:
    """One reading of a batch of windows, without a gradient.

    Args:
        streams: Who walks.
        fusion: Who reads what was walked.
        ids: Token ids, (B, T).
        targets: 0-based positions, (B, n), the positions that edits read among them.
        edits: Of these windows.
        dtype: What keys and values of a window are kept in; None for the weights' dtype.
    """

    def __init__(
        self,
        streams: Streams,
        fusion: JanusFusion,
        ids: Tensor,
        targets: Tensor,
        edits: Sequence[Edit],
        *,
        dtype: torch.dtype | None = None,
    ) -> None:
        self._streams = streams
        self._fusion = fusion
        self._edits = edits
        self._asked = targets.contiguous()
        self._ids_here = ids.cpu() if edits else ids
        self._memory = self._walk(ids, _ascending(targets), dtype or streams.embedding.weight.dtype)

    def read(self) -> tuple[Tensor, list[Tensor]]:
        """The fused states that predict the targets, (B, n, d), as asked, and those of each edit, (m, d)."""
        attend = self._fusion.kernels.targets
        if attend is not None and not self._edits and self._asked.numel():
            return self._as_asked(self._fusion.targets(self._memory, attend)), []
        neighbours = self._memory.neighbours
        fused = neighbours.new_zeros(*self._asked.shape, neighbours.shape[-1])
        edited: dict[int, Tensor] = {}
        for blocks in self._groups():
            rows = iter(self._edited_rows([self._edits[i] for block in blocks for i in block.edits]))
            for block in blocks:
                before, after = self._fusion.block(self._memory, block, list(islice(rows, len(block.edits))))
                fused[block.row, block.columns] = before
                edited.update(zip(block.edits, after, strict=True))
        return self._as_asked(fused), [edited[i] for i in range(len(self._edits))]

    def _as_asked(self, fused: Tensor) -> Tensor:
        """Of ascending targets, those that were asked for, in their order."""
        place = torch.searchsorted(self._memory.targets, self._asked)
        return fused.gather(1, place[..., None].expand_as(fused))

    def _walk(self, ids: Tensor, targets: Tensor, dtype: torch.dtype) -> WindowMemory:
        """Both streams over whole windows, in chunks that end where edits begin."""
        streams, fusion, length = self._streams, self._fusion, ids.shape[1]
        memory = WindowMemory.empty(
            ids, targets, heads=fusion.num_heads, like=streams.embedding.weight, dtype=dtype
        )
        edges = (
            [max(0, edit.start - 1) for edit in self._edits],
            [length - min(length, edit.end + 1) for edit in self._edits],
        )

        def read(stream: Stream) -> None:
            side = int(stream.reverse)
            closest = -(-_CLOSEST_CUTS // len(ids))
            cuts = cut_points(length, longest=streams.chunk(ids), wanted=edges[side], closest=closest)
            if side:
                cuts = [length - cut for cut in reversed(cuts)]
            kept = memory.states[side] if self._edits else None
            for chunk in stream.walk(streams.embedding, ids, cuts[1:-1], kept=kept):
                memory.store(side, chunk.start, *fusion.keys_values(chunk.rows))
                memory.store_neighbours(side, chunk.start, chunk.rows)

        streams.both(read)
        return memory

    def _groups(self) -> Iterator[list[Block]]:
        """All blocks, in groups whose edits are walked as one batch."""
        by_row: list[list[tuple[int, Edit]]] = [[] for _ in self._memory.ids]
        for numbered in enumerate(self._edits):
            by_row[numbered[1].row].append(numbered)
        group: list[Block] = []
        bases = 0
        for row, targets in enumerate(self._memory.targets_here):
            for block in blocks_of(row, _once(targets), by_row[row], widest_block(self._memory.length)):
                group.append(block)
                bases += sum(self._edits[i].stop - self._edits[i].first for i in block.edits)
                if bases >= _EDITED_BASES:
                    yield group
                    group, bases = [], 0
        yield group

    def _edited_rows(self, edits: Sequence[Edit]) -> list[EditedRows]:
        """What the streams make anew of edited windows."""
        if not edits:
            return []
        length = self._memory.length

        def read(stream: Stream) -> list[tuple[LocalWalk, Tensor]]:
            cuts = sorted([*self._memory.states[stream.reverse], 0, length])
            walks = [
                backward_walk(edit, cuts, length) if stream.reverse else forward_walk(edit, cuts)
                for edit in edits
            ]
            return list(zip(walks, self._walk_locally(stream, edits, walks), strict=True))

        forward, backward = self._streams.both(read)
        return [
            EditedRows(edit, f_rows, r_rows, f_walk.first, r_walk.last)
            for edit, (f_walk, f_rows), (r_walk, r_rows) in zip(edits, forward, backward, strict=True)
        ]

    def _walk_locally(
        self, stream: Stream, edits: Sequence[Edit], walks: Sequence[LocalWalk]
    ) -> list[Tensor]:
        """The new rows of each edit, (t, d), walked in batches of about equal length."""
        found: dict[int, Tensor] = {}
        for batch in _alike([walk.stop - walk.start for walk in walks]):
            rows = self._walk_batch(stream, [edits[i] for i in batch], [walks[i] for i in batch])
            found.update(zip(batch, rows, strict=True))
        return [found[i] for i in range(len(walks))]

    def _walk_batch(
        self, stream: Stream, edits: Sequence[Edit], walks: Sequence[LocalWalk]
    ) -> Iterator[Tensor]:
        """What fills up the shorter walks comes last in the walk, where it changes nothing before it."""
        streams, memory = self._streams, self._memory
        longest = max(1, *(walk.stop - walk.start for walk in walks))
        here = self._ids_here.new_zeros(len(walks), longest)
        origins = []
        for sequence, edit, walk in zip(here, edits, walks, strict=True):
            bases = edit.bases(self._ids_here[edit.row], walk.start, walk.stop)
            margin = longest - len(bases) if stream.reverse else 0
            sequence[margin : margin + len(bases)] = bases
            origins.append(walk.start - margin)
        ids, states = here.to(memory.ids.device), memory.states[stream.reverse]
        kept = [(states[walk.cut], edit.row) for edit, walk in zip(edits, walks, strict=True)]
        cuts = cut_points(longest, longest=streams.chunk(ids))[1:-1]
        walked = stream.walk(streams.embedding, ids, cuts, states=stream.gather(kept, longest))
        rows = torch.cat([chunk.rows for chunk in sorted(walked, key=lambda chunk: chunk.start)], dim=1)
        for sequence, walk, origin in zip(rows, walks, origins, strict=True):
            yield sequence[walk.first - origin : walk.last - origin].clone()


def _ascending(targets: Tensor) -> Tensor:
    """Each row's targets in order, (B, n); where one came twice, the row's last stands at its end again."""
    found = targets.sort(dim=1).values
    again = found[:, 1:] == found[:, :-1]
    found[:, 1:] = torch.where(again, found[:, -1:], found[:, 1:])
    return found.sort(dim=1).values


def _once(targets: np.ndarray) -> np.ndarray:
    """Ascending targets without the repetitions of the last."""
    return targets[: int(np.searchsorted(targets, targets[-1])) + 1] if len(targets) else targets


def _alike(sizes: Sequence[int]) -> Iterator[list[int]]:
    """Indices of walks of about one size, in batches of bounded size."""
    batch: list[int] = []
    for i in sorted(range(len(sizes)), key=sizes.__getitem__):
        full = sizes[i] * (len(batch) + 1) > _EDITED_BASES
        if batch and (full or sizes[i] > 2 * sizes[batch[0]] + _ALIKE):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
