"""One of equal parts of a run's work, as `--shard` names it. No PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass

from janusdna_cli.errors import InputError

__all__ = ["Shard", "parse_shard"]


@dataclass(frozen=True, slots=True)
class Shard:
    """One of equal parts of the work.

    Attributes:
        index: Which, from 1.
        count: Of how many.

    Raises:
        InputError: If there is no such part.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise _refused(str(self))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def file_name(self) -> str:
        """Of its part of the table; in the order of the parts."""
        return f"part-{self.index:0{len(str(self.count))}}-of-{self.count}.parquet"


def parse_shard(text: object) -> Shard:
    """A shard from `2/3`.

    Raises:
        InputError: If it is none.
    """
    index, slash, count = text.partition("/") if isinstance(text, str) else ("", "", "")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise _refused(text)
    return Shard(int(index), int(count))


def _refused(found: object) -> InputError:
    return InputError(f"--shard: found {found!r}, expected I/N, such as 2/3 for the second of three parts")
