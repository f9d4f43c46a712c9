"""The other strand of a sequence of letters."""

__all__ = ["reverse_complement"]

_COMPLEMENT = str.maketrans("ACGTUacgtuRYKMBVDHrykmbvdh", "TGCAAtgcaaYRMKVBHDyrmkvbhd")


def reverse_complement(sequence: str) -> str:
    """The other strand of a sequence, case kept."""
    return sequence[::-1].translate(_COMPLEMENT)
