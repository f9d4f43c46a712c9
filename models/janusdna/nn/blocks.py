"""Which positions of a window are read together.

All queries of a block see the same keys outside it, so that one attention serves them; only the keys
within the block need a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import numpy.typing as npt

from janusdna.nn.edits import Edit

__all__ = ["Block", "blocks_of", "widest_block"]

_MOST_EDITS = 64
_NARROWEST = 256
_PART_OF_WINDOW = 32


@dataclass(frozen=True)
class Block:
    """Targets of a window within [low, high), and the edits that are read there.

    Attributes:
        row: Which window of the batch.
        low, high: 0-based half-open.
        columns: Which of the window's targets, by index.
        edits: By index.
    """

    row: int
    low: int
    high: int
    columns: slice
    edits: tuple[int, ...]


def widest_block(length: int) -> int:
    """Positions of a block: so few that the masked keys within it are a small part of a window's."""
    return max(_NARROWEST, length // _PART_OF_WINDOW)


def blocks_of(
    row: int, targets: npt.NDArray[np.int64], edits: Sequence[tuple[int, Edit]], widest: int
) -> list[Block]:
    """Blocks that hold every target and every edit of a window.

    Blocks overlap where edits do; a target in two of them is read twice, alike.

    Args:
        row: Which window of the batch.
        targets: Ascending, (n,); each position that an edit reads is among them.
        edits: Of this window, with their indices.
        widest: Positions of a block at most, unless a single edit reads more.
    """
    waiting = sorted(edits, key=lambda numbered: numbered[1].first)
    blocks: list[Block] = []
    done = taken = 0
    while done < len(targets) or taken < len(waiting):
        starts = [int(targets[done])] if done < len(targets) else []
        starts += [waiting[taken][1].first] if taken < len(waiting) else []
        low = min(starts)
        chosen = _edits_within(waiting[taken:], low, widest)
        taken += len(chosen)
        high = max([low + 1, *(edit.last for _, edit in chosen)])
        following = waiting[taken][1].first if taken < len(waiting) else low + widest
        limit = max(high, min(low + widest, following))
        columns = slice(*(int(at) for at in np.searchsorted(targets, [low, limit])))
        high = max(high, int(targets[columns][-1]) + 1)
        blocks.append(Block(row, low, high, columns, tuple(index for index, _ in chosen)))
        done = max(done, columns.stop)
    return blocks


def _edits_within(waiting: Sequence[tuple[int, Edit]], low: int, widest: int) -> list[tuple[int, Edit]]:
    """The next edits that fit into a block from `low` on; one that begins there makes it as wide as it is."""
    high = low + widest
    if waiting and waiting[0][1].first == low:
        high = max(high, waiting[0][1].last)
    return list(takewhile(lambda numbered: numbered[1].last <= high, waiting[:_MOST_EDITS]))
