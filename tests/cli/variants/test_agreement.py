"""What is told of records and a reference that do not agree, before the work and after it."""

import logging
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome.alleles import Status
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.vcf import Variant, VariantReader
from janusdna_cli.outputs.tables import as_table
from janusdna_cli.variants import agreement
from janusdna_cli.variants.agreement import RowsSeen, of_one_assembly
from janusdna_cli.variants.plan import plan_alleles
from janusdna_cli.variants.table import VARIANT_SCHEMA, columns_of

LENGTH = 3000
BASES = "".join(random.Random(4).choices("ACGT", k=LENGTH))
MASKED = BASES[:2000] + "NRYM" * 250
BCFTOOLS = shutil.which("bcftools") or ""
OTHER = "probably on another assembly"


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reference]:
    monkeypatch.chdir(tmp_path)
    Path("g.fa").write_text(f">1\n{BASES}\n>masked\n{MASKED}\n")
    with Reference.open("g.fa") as opened:
        yield opened


def next_base(base: str, by: int = 1) -> str:
    return "ACGT"[("ACGT".index(base) + by) % 4]


def right(pos: int, chrom: str = "1") -> Variant:
    return Variant(chrom, pos, None, BASES[pos - 1], (next_base(BASES[pos - 1]),))


def exchanged(pos: int) -> Variant:
    return Variant("1", pos, None, next_base(BASES[pos - 1]), (BASES[pos - 1],))


def wrong(pos: int) -> Variant:
    """Neither allele is the reference's."""
    return Variant("1", pos, None, next_base(BASES[pos - 1]), (next_base(BASES[pos - 1], 2),))


def statuses(records: list[Variant], reference: Reference, *, at_once: int = 7) -> list[Status]:
    """Of the rows, which are noted some at once on their way out."""
    of_one = of_one_assembly(records, reference, "v.vcf")
    rows = list(plan_alleles(of_one, reference, 64, "centered"))
    table = as_table(columns_of([(row, {}) for row in rows]), VARIANT_SCHEMA)
    seen = RowsSeen("v.vcf", reference)
    for start in range(0, len(rows), at_once):
        seen.add(table.slice(start, at_once))
    seen.warn()
    return [row.status for row in rows]


def records_of(kinds: str) -> list[Variant]:
    make = {"r": right, "x": exchanged, "w": wrong}
    return [make[kind](pos) for pos, kind in enumerate(kinds, start=1)]


@pytest.mark.parametrize(
    ("kinds", "problem"),
    [
        ("w" * 20, f"{OTHER} than g.fa: REF differs in 20 of the first 20 records; pass the --fasta"),
        ("w" * 30 + "r" * 29, f"{OTHER} than g.fa: REF differs in 30 of the first 59 records"),
        ("x" * 20, "REF differs in 20 of the first 20 records, but at 20 of these g.fa has ALT: .*exchanged"),
        (
            "x" * 16 + "w" * 14 + "r" * 9,
            "30 of the first 39 records, but at 16 of these g.fa has ALT: .*exchanged",
        ),
        # ALT is what the FASTA has by chance.
        ("x" * 15 + "w" * 15, f"{OTHER} than g.fa: REF differs in 30 of the first 30 records"),
    ],
)
def test_where_most_records_do_not_fit_none_is_given(reference: Reference, kinds: str, problem: str) -> None:
    with pytest.raises(InputError, match=rf"^v\.vcf: .*{problem}[^\n]*$") as raised:
        of_one_assembly(records_of(kinds), reference, "v.vcf")
    assert ("exchanged" in str(raised.value)) != (OTHER in str(raised.value))


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("r" * 50, None),
        ("w" * 19, None),
        ("r" * 30 + "w" * 30, None),
        ("x" * 4, None),
        ("x" * 19, "REF differs in 19 alleles, but at 19 of these g.fa has ALT"),
        ("r" * 50 + "x" * 20 + "w" * 10, "REF differs in 30 alleles, but at 20 of these g.fa has ALT"),
        ("r" * 50 + "x" * 20 + "w" * 20, None),
        # Behind the first thousand.
        ("r" * 1000 + "x" * 1500, "REF differs in 1,500 alleles, but at 1,500 of these g.fa has ALT"),
    ],
)
def test_exchanged_alleles_of_some_records_are_a_warning(
    reference: Reference, caplog: pytest.LogCaptureFixture, kinds: str, expected: str | None
) -> None:
    known = {"r": Status.ok, "x": Status.ref_mismatch, "w": Status.ref_mismatch}
    assert statuses(records_of(kinds), reference) == [known[kind] for kind in kinds]
    said = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert len(said) == (expected is not None)
    for level, message in said:
        assert level == logging.WARNING
        assert message.startswith(f"v.vcf: {expected}: REF and ALT are exchanged")


@pytest.mark.skipif(not BCFTOOLS, reason="bcftools is not installed")
def test_the_advice_puts_exchanged_alleles_right(reference: Reference) -> None:
    records = records_of("x" * 40)
    lines = "".join(f"{v.chrom}\t{v.pos}\t.\t{v.ref}\t{v.alts[0]}\t.\t.\t.\n" for v in records)
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    Path("v.vcf").write_text(f"##fileformat=VCFv4.2\n##contig=<ID=1>\n{columns}{lines}")
    with pytest.raises(InputError) as raised:
        statuses(records, reference)
    _, _, advice = str(raised.value).partition("`")
    command = [BCFTOOLS, *advice.partition("`")[0].split()[1:], "v.vcf", "-o", "fixed.vcf"]
    subprocess.run(command, check=True, capture_output=True)
    with VariantReader.open("fixed.vcf") as fixed:
        assert statuses(list(fixed), reference) == [Status.ok] * 40


def test_a_masked_reference_is_no_other_assembly(reference: Reference) -> None:
    """REF is a base that the FASTA's letter may be, in all of the records."""
    first = {"N": "T", "R": "A", "Y": "C", "M": "A"}
    records = [
        Variant("masked", pos, None, first[MASKED[pos - 1]], (next_base(first[MASKED[pos - 1]]),))
        for pos in range(2001, LENGTH + 1)
    ]
    assert statuses(records, reference) == [Status.non_acgt] * 1000


def test_the_alleles_of_a_record_are_told_one_by_one(
    reference: Reference, caplog: pytest.LogCaptureFixture
) -> None:
    """At each of these sites one of two ALTs is the reference's base, and no REF is."""
    records = [
        Variant("1", pos, None, next_base(BASES[pos - 1]), (BASES[pos - 1], next_base(BASES[pos - 1], 2)))
        for pos in range(1, 9)
    ]
    assert statuses(records, reference) == [Status.ref_mismatch] * 16
    assert not caplog.records  # half of them are as good as none
    assert statuses([*records, *map(exchanged, range(9, 12))], reference) == [Status.ref_mismatch] * 19
    (record,) = caplog.records
    assert "REF differs in 19 alleles, but at 11 of these g.fa has ALT" in record.getMessage()


def test_only_the_first_records_are_taken_before_the_first_is_given(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "_ASSEMBLY_RECORDS", 3)
    taken = []
    records = [right(pos) for pos in range(1, 9)]
    coming = of_one_assembly((taken.append(each) or each for each in records), reference, "v.vcf")
    assert len(taken) == 3
    assert list(coming) == taken == records


def test_unknown_names_are_told_after_the_last_row(
    reference: Reference, caplog: pytest.LogCaptureFixture
) -> None:
    records = [right(pos, "01") for pos in range(1, 6)]
    records.append(Variant("01", 6, None, "N", ("<DEL>",)))
    rows = list(plan_alleles(records, reference, 64, "tiled"))
    assert [row.status for row in rows] == [Status.no_contig] * 5 + [Status.symbolic]
    seen = RowsSeen("v.vcf", reference)
    seen.add(as_table(columns_of([(row, {}) for row in rows]), VARIANT_SCHEMA))
    assert not caplog.records
    seen.warn()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "v.vcf: 6 of its 6 alleles lie on no contig of g.fa: '01' is not in it, but '1' is: "
        "write names the same way in both files"
    )
