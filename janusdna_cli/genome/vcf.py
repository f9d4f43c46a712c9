"""The sites of a VCF or BCF file, one record at a time.

BCF is read by htslib (`bcf.py`), text is not. On the VCF specification's test files and on hand-made ones,
pysam 0.24 refuses a whole text file for one broken meta line, ends the run at a CHROM or POS that it dislikes
without saying at which line, and gives the empty allele of `A,,T` as `.`. The site of a record is the first
five columns of its line: those are read, the rest is left alone, and an error knows its line.
"""

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
        self.name = stream.name
        self._records: bcf.BcfReader | _TextReader
        if stream.peek(len(bcf.MAGIC)) == bcf.MAGIC:
            self._records = bcf.BcfReader(stream)
        else:
            self._records = _TextReader(stream)
        self.reference = vcf_text.reference_of(self._records.header)

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
        self._records.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Variant:
        """The next record.

        Raises:
            RecordError: It cannot be read.
        """
        return next(self._records)


class _TextReader:
    """The same of a text VCF, as `bcf.BcfReader` of a BCF."""

    def __init__(self, stream: InputStream) -> None:
        self._stream = stream
        self._lines = stream.lines()
        self.header = vcf_text.read_header(self._lines, stream.name)
        self._columns = self.header[-1].count(b"\t") + 1

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Variant:
        for number, line in self._lines:
            variant = vcf_text.parse_record(line, self._columns, f"line {number}", self._stream.name)
            if variant is not None:
                return variant
        raise StopIteration

    def close(self) -> None:
        self._stream.close()
