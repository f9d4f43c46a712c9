"""The sites of a VCF or BCF file, one record at a time.

htslib does not read them. On the VCF specification's test files and on hand-made ones, pysam 0.24 refuses a
whole text file for one broken meta line, ends the run at a CHROM or POS that it dislikes without saying at
which line, and gives the empty allele of `A,,T` as `.`. The site of a record is the first five columns of its
line, or the front of a BCF's record: those are read, the rest is left alone, and an error knows its place.
"""

from types import TracebackType
from typing import Self

from janusdna_cli.genome import bcf, vcf_text
from janusdna_cli.genome.streams import InputStream
from janusdna_cli.genome.variant import Variant
from janusdna_cli.records.bcf import MAGIC

__all__ = ["Variant", "VariantReader"]


class VariantReader:
    """Variants in file order; a record that cannot be read is the last.

    Attributes:
        name: The file as messages name it.
        is_bcf: Whether it is BCF, not text.
        header: All before the first record.
        reference: What the header's `##reference=` names, without `file://`; None without one.
        contig_lengths: Bases of each contig whose length the header's `##contig` lines tell.
    """

    def __init__(self, stream: InputStream, *, keep_records: bool) -> None:
        self.name = stream.name
        self._stream = stream
        self.is_bcf = stream.peek(len(MAGIC)) == MAGIC
        if self.is_bcf:
            self.header = bcf.read_header(stream)
            self._records = bcf.read_records(stream, self.header, keep=keep_records)
        else:
            lines = stream.lines()
            self.header = vcf_text.read_header(lines, stream.name)
            self._records = vcf_text.read_records(lines, self.header, keep=keep_records)
        self.reference = vcf_text.reference_of(self.header.lines)
        self.contig_lengths = vcf_text.contig_lengths(self.header.lines)

    @classmethod
    def open(cls, source: str, *, keep_records: bool = False) -> Self:
        """Open a file and read its header.

        Args:
            source: A path, or "-" for stdin; VCF plain, gzip or bgzip, or BCF, told by content.
            keep_records: Whether variants have their records as they came.

        Raises:
            InputError: The file cannot be read or is neither.
        """
        stream = InputStream(source)
        try:
            return cls(stream, keep_records=keep_records)
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
        return next(self._records)
