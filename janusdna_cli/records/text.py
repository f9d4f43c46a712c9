"""INFO that is added to the lines of a text VCF; every other byte stays."""

import re
from collections.abc import Sequence

from janusdna_cli.records.header import InfoField, RecordHeader, declaring, line_end

__all__ = ["TextInfo", "info_value"]

_COLUMNS = 8
_INFO = 7


def info_value(line: bytes, name: bytes) -> bytes | None:
    """What a record says of an INFO field; None where it does not.

    Args:
        line: With or without its end.
        name: The field's.
    """
    columns = line.rstrip(b"\r\n").split(b"\t", _COLUMNS)
    for pair in columns[_INFO].split(b";") if len(columns) > _INFO else ():
        key, _, value = pair.partition(b"=")
        if key == name:
            return value
    return None


class TextInfo:
    """Adds some INFO fields to every record of a file.

    Args:
        header: Of the file.
        fields: What is added. A field of one of their names that is there already goes.

    Attributes:
        has_replaced: Whether a record had one.
    """

    def __init__(self, header: RecordHeader, fields: Sequence[InfoField]) -> None:
        self.has_replaced = False
        self._lines = header.lines
        self._declarations = {field.key: field.declaration for field in fields}
        names = b"|".join(map(re.escape, self._declarations))
        self._names = re.compile(names)
        self._old = re.compile(rb"(?:^|(?<=;))(?:%s)(?:=[^;]*)?(?:;|$)" % names)

    def header(self, *more: bytes) -> bytes:
        """The header that declares the fields, with some lines more."""
        return b"".join(declaring(self._lines, self._declarations, more))

    def add(self, line: bytes, info: bytes) -> bytes:
        """A record with more INFO.

        Args:
            line: With its end. One of fewer than eight columns gets the missing ones, as `.`.
            info: Fields as `A=1;B=2`; may be empty.
        """
        end = line_end(line)
        columns = line[: len(line) - len(end)].split(b"\t", _COLUMNS)
        columns += [b"."] * (_COLUMNS - len(columns))
        columns[_INFO] = _joined(self._without_old(columns[_INFO]), info)
        return b"\t".join(columns) + end

    def _without_old(self, info: bytes) -> bytes:
        # The second search is right, and far slower.
        if self._names.search(info) is None or self._old.search(info) is None:
            return info
        self.has_replaced = True
        kept = self._old.sub(b"", info)
        return kept if info.endswith(b";") else kept.removesuffix(b";")


def _joined(info: bytes, added: bytes) -> bytes:
    if not added:
        return info or b"."
    if info in (b"", b"."):
        return added
    return info + added if info.endswith(b";") else info + b";" + added
