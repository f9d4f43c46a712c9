"""FASTA whose headers end in a label: `>name|label`, as the Nucleotide Transformer's tasks have it."""

from __future__ import annotations

from collections.abc import Iterator

from janusdna_cli.errors import RecordError
from janusdna_cli.genome.streams import InputStream, decode
from janusdna_cli.labelled.item import Item

__all__ = ["read_fasta"]


def read_fasta(source: str, *, labelled: bool) -> Iterator[Item]:
    """The sequences of a FASTA in its order, one at a time.

    Args:
        source: A path, or "-" for stdin; plain, gzip or bgzip.
        labelled: Whether a header's last field, after `|`, is a label.

    Raises:
        InputError: The file cannot be read.
        RecordError: It is no FASTA, or a header has no label.
    """
    with InputStream(source) as stream:
        header: tuple[int, str] | None = None
        parts: list[bytes] = []
        for number, line in stream.lines():
            if line.startswith(b">"):
                if header is not None:
                    yield _item(stream.name, *header, parts, labelled=labelled)
                header, parts = (number, decode(line[1:]).strip()), []
            elif line.strip():
                if header is None:
                    raise RecordError(
                        stream.name, f"line {number}", "found bases, expected a header: >name|label"
                    )
                parts.append(line.strip())
        if header is not None:
            yield _item(stream.name, *header, parts, labelled=labelled)


def _item(path: str, line: int, header: str, parts: list[bytes], *, labelled: bool) -> Item:
    name, bar, label = header.rpartition("|")
    if not bar:
        name = header
    if labelled and not (bar and label.strip()):
        found = f"header {header[:40]!r} has no label"
        raise RecordError(path, f"line {line}", f"{found}, expected it after the last |: >name|1")
    words = name.split(maxsplit=1)
    bases = decode(b"".join(parts))
    return Item(
        f"line {line}",
        {"id": words[0] if words else ""},
        bases,
        label=label.strip() if labelled else None,
        status="ok" if bases else "empty",
    )
