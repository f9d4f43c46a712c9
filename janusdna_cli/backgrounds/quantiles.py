"""Many values as some of them, by rank: fine in both tails, and the share of them that is below a value."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

__all__ = ["kept_ranks", "share_up_to"]

_A_DECADE = 12
_IN_THE_MIDDLE = 40
_TAIL = 0.1


def kept_ranks(count: int) -> list[int]:
    """Which of so many sorted values are kept, by rank from 1: many in both tails, some between."""
    tail = max(1, int(count * _TAIL))
    ranks = {1, count}
    step = 0
    while (rank := round(10 ** (step / _A_DECADE))) <= tail:
        ranks |= {rank, count + 1 - rank}
        step += 1
    inner = count - 2 * tail
    ranks |= {tail + round(inner * each / _IN_THE_MIDDLE) for each in range(_IN_THE_MIDDLE + 1)}
    return sorted(rank for rank in ranks if 1 <= rank <= count)


def share_up_to(value: float, kept: Sequence[float], ranks: Sequence[int]) -> float:
    """The share of values that are no larger, the value itself counted in: above 0, and 1 at most.

    Args:
        value: Any.
        kept: Sorted values of these ranks, repeated ones too.
        ranks: From 1 to the number of all values.
    """
    at = bisect_right(kept, value)
    rank = float(ranks[at - 1]) if at else 0.0
    if 0 < at < len(kept):
        # So many lie between the two, as if evenly spread.
        between = ranks[at] - ranks[at - 1] - 1
        rank += between * (value - kept[at - 1]) / (kept[at] - kept[at - 1])
    return (rank + 1) / (ranks[-1] + 1)
