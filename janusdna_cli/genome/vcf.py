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
    """Variants in file order; a record that cannot be read is the last.

    Attributes:
        name: The file as messages name it.
        reference: What the header's `##reference=` names, without `file://`; None without one.
        contig_lengths: Bases of each contig whose length the header's `##contig` lines tell.
    """

    def __init__(self, stream: InputStream) -> None:
        self.name = stream.name
        self._file: bcf.BcfReader | InputStream = stream
        if stream.peek(len(bcf.MAGIC)) == bcf.MAGIC:
            self._file = bcf.BcfReader(stream)
            header, self._records = self._file.header, self._file.records()
        else:
            lines = stream.lines()
            header = vcf_text.read_header(lines, stream.name)
            self._records = vcf_text.read_records(lines, header, stream.name)
        self.reference = vcf_text.reference_of(header)
        self.contig_lengths = vcf_text.contig_lengths(header)

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
        self._file.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Variant:
        """The next record.

        Raises:
            RecordError: It cannot be read.
        """
        return next(self._records)
