"""Edited windows: what changes of a walked window when some of its bases are replaced.

F_i depends on x[0..i] and R_j on x[j..] alone, so after an edit of [start, end) every row F_i with
i < start and every row R_j from `end` on is what it was, also where an insertion or a deletion moves
what follows. To read the edited window near the edit, each stream walks from there over the few bases
that are read, out of the state that it had.

Positions without a prime are those of the window, positions with one those of the edited window; they
differ, from the edit on, by `shift`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

__all__ = ["Edit", "EditedRows", "LocalWalk", "backward_walk", "cut_points", "forward_walk"]


@dataclass(frozen=True, eq=False)
class Edit:
    """Bases [start, end) of a window replaced, to be read at positions [first, last) of what comes out.

    Attributes:
        row: Which window of the batch.
        start, end: 0-based half-open.
        ids: Tokens that stand there instead, (a,), on the CPU.
        first, last: Positions of the window to read, 0-based half-open: [start, end) and a base more at
            least on each side that has one; the edited window is read from `first` to `last` + `shift`.
    """

    row: int
    start: int
    end: int
    ids: Tensor
    first: int
    last: int

    @property
    def shift(self) -> int:
        """By how much what follows moves to the right."""
        return len(self.ids) - (self.end - self.start)

    @property
    def stop(self) -> int:
        """After the last position to read of the edited window."""
        return self.last + self.shift

    def bases(self, window: Tensor, start: int, stop: int) -> Tensor:
        """Tokens of positions [start, stop) of the edited window, from those of the window, (T,)."""
        moved = self.start + len(self.ids)
        left = window[start : min(stop, self.start)]
        middle = self.ids[max(0, start - self.start) : max(0, stop - self.start)]
        right = window[max(start, moved) - self.shift : max(stop, moved) - self.shift]
        return torch.cat((left, middle, right))


@dataclass(frozen=True)
class LocalWalk:
    """What one stream walks of an edited window.

    Attributes:
        cut: Where in the window its state is taken up.
        start, stop: Positions walked, of the edited window.
        first, last: Rows that are new and needed, of the edited window.
    """

    cut: int
    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class EditedRows:
    """The rows of an edited window that are needed to read it and not found in the window itself.

    Attributes:
        edit: What was edited.
        forward: F from `forward_start` on, (t, d).
        backward: R up to `backward_stop`, (t, d).
        forward_start: Of the edited window.
        backward_stop: Of the edited window, after the last.
    """

    edit: Edit
    forward: Tensor
    backward: Tensor
    forward_start: int
    backward_stop: int


def forward_walk(edit: Edit, cuts: Sequence[int]) -> LocalWalk:
    """From the cut before the edit, to the row before the last position read.

    The row before the edit is walked again: it may have no target of its own to be taken from.
    """
    first = max(0, edit.start - 1)
    cut = cuts[bisect_right(cuts, first) - 1]
    return LocalWalk(cut, cut, edit.stop - 1, first, edit.stop - 1)


def backward_walk(edit: Edit, cuts: Sequence[int], length: int) -> LocalWalk:
    """From the cut after the edit, to the row after the first position read."""
    last = min(length, edit.end + 1)
    cut = cuts[bisect_right(cuts, last - 1)]
    return LocalWalk(cut, edit.first + 1, cut + edit.shift, edit.first + 1, last + edit.shift)


def cut_points(length: int, *, longest: int, wanted: Iterable[int] = (), closest: int = 1) -> list[int]:
    """Where to cut a walk of `length` rows, 0 and `length` among them.

    Args:
        length: Rows.
        longest: Rows of a chunk at most.
        wanted: Where a cut is useful; each gets one at most `closest` rows before it.
        closest: Rows between the wanted cuts at least.
    """
    cuts = [0]
    for position in sorted(wanted):
        if position - cuts[-1] >= closest and position < length:
            cuts.append(position)
    cuts.append(length)
    return [cut for span in pairwise(cuts) for cut in _even(*span, longest)] + [length]


def _even(start: int, stop: int, longest: int) -> list[int]:
    """The starts of equal parts of [start, stop), each of at most `longest`."""
    parts = -(-(stop - start) // longest)
    return [start + (stop - start) * part // parts for part in range(parts)]
