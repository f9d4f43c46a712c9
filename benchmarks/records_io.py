"""How many records a second are read, and written with their scores, in each format?

    python benchmarks/records_io.py --records 30000 --samples 0 100

Without a model: a made-up VCF with INFO as long as the 1000 Genomes' and as many samples as asked for, read
for its sites and with its records kept; then made-up scores, written from memory in every format.
"""

from __future__ import annotations

import gzip
import itertools
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from measure import Row, arguments, best, report

from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.outputs.bgzf import Bgzf
from janusdna_cli.outputs.formats import VARIANTS, Format, table_format
from janusdna_cli.outputs.htslib import Converter
from janusdna_cli.outputs.tables import open_table
from janusdna_cli.variants.annotation import annotation_schema, with_records
from janusdna_cli.variants.table import VARIANT_SCHEMA

_INFO = (("AC", 1, "Integer"), ("AF", 1, "Float"), ("AN", 1, "Integer"), ("NS", 1, "Integer"))
_POPULATIONS = ("EAS", "AMR", "AFR", "EUR", "SAS")
_TABLES = ("out.parquet", "out.tsv", "out.tsv.gz")
_RECORDS = ("out.vcf", "out.vcf.gz", "out.bcf")
_ROWS_AT_ONCE = 8_192


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "records_io")
    parser.add_argument("--records", type=int, default=30_000)
    parser.add_argument("--samples", type=int, nargs="+", default=[0, 100])
    parser.add_argument("--runs", type=int, default=3, help="of which the fastest counts")
    options = parser.parse_args()
    read: list[Row] = []
    written: list[Row] = []
    for samples in options.samples:
        with tempfile.TemporaryDirectory() as name:
            sources = write_sources(Path(name), options.records, samples)
            read += [read_row(path, samples, options.runs) for path in sources]
            text, _, binary = sources
            written += written_rows(text, samples, options.runs, _TABLES + _RECORDS)
            written += written_rows(binary, samples, options.runs, _RECORDS)
    report(read + written, options.json)


def write_sources(folder: Path, records: int, samples: int) -> list[Path]:
    """The same records as text, compressed text and BCF."""
    text, compressed, binary = (folder / f"in.{suffix}" for suffix in ("vcf", "vcf.gz", "bcf"))
    lines = [line.encode() for line in made_up_lines(records, samples)]
    text.write_bytes(b"".join(lines))
    first = next(at for at, line in enumerate(lines) if not line.startswith(b"#"))
    converter = Converter(str(text), b"".join(lines[:first]), to="bcf")
    for path, pieces in (
        (compressed, lines),
        (binary, [converter.header, converter.convert(lines[first:])]),
    ):
        with path.open("wb") as file:
            blocks = Bgzf(file)
            blocks.write(b"".join(pieces))
            blocks.close()
    return [text, compressed, binary]


def made_up_lines(records: int, samples: int) -> Iterator[str]:
    """A VCF, line by line."""
    rng = random.Random(1)
    yield "##fileformat=VCFv4.3\n##contig=<ID=chr20,length=64444167>\n"
    shares = [(f"{population}_AF", 1, "Float") for population in _POPULATIONS]
    for name, number, kind in (*_INFO, *shares):
        yield f'##INFO=<ID={name},Number={number},Type={kind},Description="made up">\n'
    yield '##FORMAT=<ID=GT,Number=1,Type=String,Description="made up">\n'
    names = ["FORMAT", *(f"sample{i}" for i in range(samples))] if samples else []
    yield "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", *names]) + "\n"
    for at in range(records):
        ref, alt = rng.sample("ACGT", 2)
        shown = ";".join(f"{population}_AF={rng.random():.4f}" for population in _POPULATIONS)
        info = f"AC={rng.randrange(5008)};AF={rng.random():.6f};AN=5008;NS=2504;{shown}"
        calls = ["GT", *rng.choices(("0|0", "0|1", "1|1"), k=samples)] if samples else []
        yield "\t".join(["chr20", str(1 + 35 * at), ".", ref, alt, "100", "PASS", info, *calls]) + "\n"


def read_row(path: Path, samples: int, runs: int) -> Row:
    """How fast a file is read."""

    def read(keep: bool) -> int:
        with VariantReader.open(str(path), keep_records=keep) as reader:
            return sum(1 for _ in reader)

    count = read(False)
    return {
        "read": path.name.removeprefix("in."),
        "samples": samples,
        "bytes a record": len(plain(path)) / count,
        "sites/s": count / best(lambda: read(False), runs),
        "records/s": count / best(lambda: read(True), runs),
    }


def plain(path: Path) -> bytes:
    """A file's bytes, decompressed."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix != ".vcf" else data


def written_rows(source: Path, samples: int, runs: int, outputs: Sequence[str]) -> Iterator[Row]:
    """How fast the scores of a file's records are written; a table is the same, whatever they came from."""
    tables = list(scored_tables(source))
    count = sum(table.num_rows for table in tables)
    for name in outputs:
        path = source.with_name(name)
        seconds = best(lambda path=path: write(tables, source, path), runs)
        yield {
            "written": name.removeprefix("out."),
            "from": source.suffix.removeprefix("."),
            "samples": samples,
            "megabytes": path.stat().st_size / 1e6,
            "records/s": count / seconds,
        }


def scored_tables(source: Path) -> Iterator[Any]:
    """Scores that nobody computed, beside their records."""
    rng = np.random.default_rng(1)
    with (
        VariantReader.open(str(source)) as reader,
        VariantReader.open(str(source), keep_records=True) as again,
    ):
        chunks = iter(lambda: list(itertools.islice(reader, _ROWS_AT_ONCE)), [])
        yield from with_records((scored(variants, rng) for variants in chunks), again)


def scored(variants: list[Any], rng: np.random.Generator) -> Any:
    """A row for each of some variants of one ALT."""
    columns: dict[str, Any] = {
        "chrom": [variant.chrom for variant in variants],
        "pos": [variant.pos for variant in variants],
        "id": [variant.id for variant in variants],
        "ref": [variant.ref for variant in variants],
        "alt": [variant.alts[0] for variant in variants],
        "status": ["ok"] * len(variants),
    }
    for field in VARIANT_SCHEMA:
        if field.name not in columns:
            columns[field.name] = rng.normal(0, 1000, len(variants)).astype(field.type.to_pandas_dtype())
    return pa.table([columns[name] for name in VARIANT_SCHEMA.names], schema=VARIANT_SCHEMA)


def write(tables: list[Any], source: Path, path: Path) -> None:
    """As the task writes them; an index included."""
    form = table_format(str(path), formats=VARIANTS)
    of_records = form in (Format.vcf, Format.bcf)
    schema = annotation_schema(None) if of_records else VARIANT_SCHEMA
    with VariantReader.open(str(source)) as reader:
        header = reader.header if of_records else None
    with open_table(str(path), schema, form, overwrite=True, records=header) as writer:
        for table in tables:
            writer.write({name: table[name] for name in schema.names})


if __name__ == "__main__":
    main()
