"""What an output is called where its user names none."""

from pathlib import Path

__all__ = ["default_output", "stem"]

_SUFFIXES = (".gz", ".bgz", ".vcf", ".bcf", ".bed", ".fa", ".fasta", ".fna", ".narrowPeak")


def default_output(source: str) -> str:
    """The table of an input, in the current folder."""
    return f"{stem(source)}.janusdna.parquet"


def stem(path: str) -> str:
    """A file's name without its folder and the suffixes of its format; `stdin` for `-`."""
    name = "stdin" if path == "-" else Path(path).name
    while Path(name).suffix in _SUFFIXES:
        name = Path(name).stem
    return name
