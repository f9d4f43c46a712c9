"""Rows and the records that they come from, side by side."""

import pyarrow as pa
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.outputs.info_values import fields_of
from janusdna_cli.variants import annotation
from janusdna_cli.variants.annotation import annotation_schema, with_records
from janusdna_cli.variants.scores import COLUMNS
from janusdna_cli.variants.table import VARIANT_SCHEMA

from ..made_up_scores import made_up_scores

HEADER = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
LINES = [
    b"1\t5\t.\tA\tG\t.\t.\tDP=3\n",
    b"1\t7\t.\tA\tC,<DEL>,*\t.\t.\t.\n",
    b"1\t7\t.\tA\t.\t.\t.\t.\n",
    b"X\t9\t.\tC\tT\t.\t.\t.",
]
# Of each row.
RECORDS = [LINES[0], LINES[1], None, None, LINES[2], LINES[3]]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.vcf"
    path.write_bytes(HEADER + b"".join(LINES))
    return path


def joined(tables, source):
    with VariantReader.open(str(source), keep_records=True) as reader:
        return list(with_records(tables, reader))


@pytest.mark.parametrize("rows", [1, 2, 3, 6])
def test_a_record_stands_in_the_first_of_its_rows(source, rows):
    table = made_up_scores(source)
    found = pa.concat_tables(joined([table.slice(at, rows) for at in range(0, 6, rows)], source))
    assert found["record"].to_pylist() == RECORDS
    assert found.drop_columns("record").equals(table)
    assert found.schema.names == annotation_schema(None).names


def test_tables_are_of_bounded_bytes(source, monkeypatch):
    monkeypatch.setattr(annotation, "_RECORD_BYTES", 40)
    found = joined([made_up_scores(source)], source)
    assert [table.num_rows for table in found] == [2, 4]
    assert pa.concat_tables(found)["record"].to_pylist() == RECORDS


def test_no_rows(source):
    source.write_bytes(HEADER)
    assert joined([], source) == joined([made_up_scores(source)], source) == []


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (LINES[:3], "has fewer records than were scored"),
        ([*LINES, b"\n", LINES[0]], "has more records than were scored"),
        ([LINES[0], LINES[1].replace(b"7", b"8"), *LINES[2:]], "has 1:8 A>C where 1:7 A>C was scored"),
        ([LINES[0].replace(b"A", b"T"), *LINES[1:]], "has 1:5 T>G where 1:5 A>G was scored"),
        ([LINES[0], LINES[1].replace(b",*", b""), *LINES[2:]], r"has 1:7 A>\. where 1:7 A>\* was scored"),
        ([LINES[0].replace(b"1", b"2", 1), *LINES[1:]], "has 2:5 A>G where 1:5 A>G was scored"),
    ],
)
def test_an_input_that_was_changed_is_an_error(source, lines, problem):
    table = made_up_scores(source)
    source.write_bytes(HEADER + b"".join(lines))
    with pytest.raises(InputError, match=rf"in\.vcf: {problem}; it was changed [^\n]+$"):
        joined([table], source)


def test_every_score_that_can_be_asked_for_has_a_field_of_its_own():
    asked = ("llr", "delta_pll", "embedding", "influence")
    fields = fields_of(annotation_schema(asked, with_percentiles=True))
    names = {column: field.name for column, field in fields.items()}
    assert names == {
        "status": "JANUS_STATUS",
        "llr": "JANUS_LLR",
        "delta_pll": "JANUS_DPLL",
        "emb_l2": "JANUS_L2",
        "emb_cosine": "JANUS_COS",
        "influence": "JANUS_INFL",
        "pct": "JANUS_PCT",
    }
    assert names.items() >= {column.name: column.info for column in COLUMNS if column.info}.items()
    assert "pct" not in fields_of(annotation_schema(asked))
    assert {field.kind for field in fields.values()} == {"Float", "String"}
    assert fields["status"].kind == "String"


def test_the_schema_of_a_table_stays_as_it_is():
    assert annotation_schema(None).names == [*VARIANT_SCHEMA.names, "record"]
    assert not any(b"info" in field.metadata for field in VARIANT_SCHEMA)


def test_what_is_told_of_an_annotated_output_is_told_while_the_input_is_read_again(work, bases):
    contig = bases(200, seed=6)
    records = [f"c {pos} . {contig[pos - 1]} <DEL> . . JANUS_STATUS=ok" for pos in (50, 20)]
    meta = '##INFO=<ID=JANUS_STATUS,Number=A,Type=String,Description="x">\n'
    vcf, fasta = work.vcf(*records, meta=meta), work.fasta(c=contig)
    result = work.run("score-variants", vcf, "-f", fasta, "-m", work.model, "-o", "out.vcf.gz")
    assert result.exit_code == 0
    assert (
        f"warning: {vcf}: INFO has JANUS_STATUS of an earlier run, which this run replaces" in result.stderr
    )
    assert "out.vcf.gz: its rows are not sorted by contig and position, so it has no index" in result.stderr
