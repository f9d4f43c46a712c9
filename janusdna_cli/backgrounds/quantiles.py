"""Many values as some of them, by rank: fine in both tails, and the share of them that is below a value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["kept_ranks", "shares_up_to"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

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


def shares_up_to(values: Floats, kept: Floats, ranks: Integers) -> Floats:
    """The share of values that are no larger, the value itself counted in: above 0, and 1 at most.

    Args:
        values: Any, (m,).
        kept: Sorted values of these ranks, repeated ones too.
        ranks: From 1 to the number of all values.

    Returns:
        (m,); NaN of NaN.
    """
    at = np.searchsorted(kept, values, side="right")
    before, after = np.maximum(at - 1, 0), np.minimum(at, len(kept) - 1)
    found = np.where(at > 0, ranks[before], 0).astype(np.float64)
    # So many lie between the two, as if evenly spread.
    is_between = (at > 0) & (at < len(kept))
    lower, upper = kept[before[is_between]], kept[after[is_between]]
    between = ranks[after[is_between]] - ranks[before[is_between]] - 1
    found[is_between] += between * (values[is_between] - lower) / (upper - lower)
    shares: Floats = (found + 1) / (ranks[-1] + 1)
    return np.where(np.isnan(values), np.nan, shares)
