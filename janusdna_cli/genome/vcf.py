"""The sites of a VCF or BCF file, one record at a time.

htslib reads neither form here. On the VCF specification's test files and on hand-made ones, pysam 0.24
refuses a whole file for one broken meta line, ends the run at a CHROM or POS that it dislikes without saying
at which line, gives the empty allele of `A,,T` as `.`, and cannot be handed a pipe whose first bytes were
looked at to tell VCF from BCF. The site of a record is its first five columns, or the head of its BCF block:
those are read, the rest is left alone, and an error knows its line.
"""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from janusdna_cli.genome import bcf, vcf_text
from janusdna_cli.genome.streams import InputStream
from janusdna_cli.genome.variant import Variant

__all__ = ["Variant", "VariantReader"]


class VariantReader:
    """Variants in file order. Reading goes on after a `RecordError`, with the record that follows.

    Attributes:
        name: The file as messages name it.
        reference: What the header's `##reference=` names, without `file://`; None without one.
    """

    def __init__(self, stream: InputStream) -> None:
        self._stream = stream
        self.name = stream.name
        self._records: Iterator[tuple[int, bytes]]
        self._parse: Callable[[int, bytes], Variant | None]
        header = self._open_bcf() if stream.peek(len(bcf.MAGIC)) == bcf.MAGIC else self._open_text()
        self.reference = vcf_text.reference_of(header)

    @classmethod
    def open(cls, source: str) -> Self:
        """Open a file and read its header.

        Args:
            source: A path, or "-" for stdin; VCF plain, gzip or bgzip, or BCF, told by content.

        Raises:
            InputError: The file cannot be read or is neither.
        """
        stream = InputStream(source)
        try:
            return cls(stream)
        except BaseException:
            stream.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; stdin stays open."""
        self._stream.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Variant:
        """The next record.

        Raises:
            RecordError: It cannot be read.
        """
        for number, record in self._records:
            variant = self._parse(number, record)
            if variant is not None:
                return variant
        raise StopIteration

    def _open_text(self) -> list[bytes]:
        lines = self._stream.lines()
        header = vcf_text.read_header(lines, self.name)
        columns = header[-1].count(b"\t") + 1
        self._records = lines
        self._parse = lambda number, line: vcf_text.parse_record(line, columns, f"line {number}", self.name)
        return header

    def _open_bcf(self) -> list[bytes]:
        header = bcf.read_header(self._stream)
        contigs = bcf.contig_names(header)
        self._records = bcf.read_records(self._stream)
        self._parse = lambda number, site: bcf.parse_record(site, contigs, f"record {number}", self.name)
        return header
