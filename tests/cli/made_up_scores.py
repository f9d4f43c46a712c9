"""Tables of scores that nobody computed, of real records, and what is written of them."""

import io
import re
import subprocess
from dataclasses import replace

import numpy as np
import pyarrow as pa

from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.outputs.formats import VARIANTS, table_format
from janusdna_cli.outputs.tables import open_table
from janusdna_cli.variants.annotation import annotation_schema, with_records
from janusdna_cli.variants.table import VARIANT_SCHEMA

METADATA = {
    "version": "0.1",
    "command": ["janusdna", "score-variants", 'a "b"\\c,<d> é.vcf'],
    "model": {"name": "m", "sha256": "0"},
    "reference": "r.fa",
    "contig_md5": {"20": "x", "chr\udcff": None},
    "window": 1024,
}

_OURS = re.compile(rb";?JANUS_[A-Z0-9]+(=[^;\t\r\n]*)?")


def made_up_scores(source, seed=0):
    """A table of `VARIANT_SCHEMA`; a fifth of each score is null."""
    with VariantReader.open(str(source)) as reader:
        rows = [(variant, alt) for variant in reader for alt in variant.alts or (".",)]
    rng, n = np.random.default_rng(seed), len(rows)
    columns = {
        "chrom": [variant.chrom for variant, _ in rows],
        "pos": [variant.pos for variant, _ in rows],
        "id": [variant.id for variant, _ in rows],
        "ref": [variant.ref for variant, _ in rows],
        "alt": [alt for _, alt in rows],
        "status": np.where(rng.random(n) < 0.9, "ok", "ref_mismatch").astype(object),
    }
    for field in VARIANT_SCHEMA:
        if field.name not in columns:
            values = rng.standard_normal(n) * 10.0 ** rng.integers(-8, 5, n)
            columns[field.name] = pa.array(
                values.astype(field.type.to_pandas_dtype()), mask=rng.random(n) < 0.2
            )
    return pa.table([columns[name] for name in VARIANT_SCHEMA.names], schema=VARIANT_SCHEMA)


def write_annotated(table, source, destination, *, form=None, scores=None, rows=1000, contigs=(), **options):
    """What a run writes when all is scored."""
    destination = str(destination)
    schema = annotation_schema(scores)
    form = table_format(destination, form, formats=VARIANTS)
    tables = [table.slice(first, rows) for first in range(0, table.num_rows, rows)]
    with VariantReader.open(str(source), keep_records=True) as reader:
        records = replace(reader.header, contigs=tuple(contigs))
        with open_table(destination, schema, form, records=records, metadata=METADATA, **options) as writer:
            for piece in with_records(tables, reader):
                writer.write({name: piece[name] for name in schema.names})


def without_ours(text):
    """A text VCF as it was before our INFO was added."""
    kept = []
    for line in io.BytesIO(text):
        columns = line.split(b"\t", 8)
        if line.startswith((b"##INFO=<ID=JANUS_", b"##janusdna=")):
            continue
        if line.startswith(b"#") or len(columns) < 8:
            kept.append(line)
            continue
        info = columns[7].rstrip(b"\r\n")
        columns[7] = (_OURS.sub(b"", info) or b".") + columns[7][len(info) :]
        kept.append(b"\t".join(columns))
    return b"".join(kept)


def bcftools(*arguments):
    """What it prints."""
    done = subprocess.run(["bcftools", *map(str, arguments)], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
