"""`janusdna info` of VCF and BCF: what the header tells, and the statuses of all records."""

import json
import shutil
import subprocess
from collections import Counter

import pytest

from ..made_up_scores import METADATA, made_up_scores, write_annotated

HEADER = (
    "##fileformat=VCFv4.2\n"
    '##INFO=<ID=DP,Number=1,Type=Integer,Description="depth">\n'
    '##INFO=<ID=NOTJANUS_STATUS,Number=1,Type=String,Description="another">\n'
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="genotype">\n'
    "##contig=<ID=1,length=100000>\n"
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1\ts2\n"
)
ALTS = ("G", "C,T", "<DEL>,G,*", ".")
FORMS = [".vcf", ".vcf.gz", ".bcf"]


@pytest.fixture
def source(work):
    records = [
        f"1\t{10 + i}\t.\tA\t{ALTS[i % 4]}\t.\tPASS\tNOTJANUS_STATUS=x,y;DP={i}\tGT\t0/1\t1/1\n"
        for i in range(200)
    ]
    return work.file("in.vcf", HEADER + "".join(records))


@pytest.fixture
def expected(source):
    """Of a row an ALT, and of one without ALT, which VCF has no place for."""
    table = made_up_scores(source).select(["alt", "status"]).to_pylist()
    return Counter("no_alt" if row["alt"] == "." else row["status"] for row in table)


def annotated(work, source, suffix):
    path = work.folder / f"out{suffix}"
    write_annotated(made_up_scores(source), source, path)
    return path


def told(work, path, **options):
    text, record = work.run("info", path, **options), work.run("info", path, "--json", **options)
    assert (text.exit_code, record.exit_code, text.stderr) == (0, 0, ""), text.stderr
    return text.stdout, json.loads(record.stdout)


@pytest.mark.parametrize("suffix", FORMS)
def test_what_annotated_a_file(work, source, expected, suffix):
    path = annotated(work, source, suffix)
    text, record = told(work, path)
    assert record["janusdna"] == METADATA | {"contig_md5": {"20": "x", "chr\ufffd": None}}
    assert (record["kind"], record["format"]) == ("variants", suffix[1:4])
    assert (record["rows"], record["earlier"]) == (expected.total(), [])
    assert record["rows_by_status"] == dict(expected.most_common())
    assert list(record["rows_by_status"].values()) == sorted(expected.values(), reverse=True)
    assert "\nmade by         janusdna 0.1\n" in text
    assert text.endswith(f"{expected['no_alt']} no_alt, {expected['ref_mismatch']} ref_mismatch\n")


@pytest.mark.skipif(not shutil.which("bcftools"), reason="bcftools is not installed")
@pytest.mark.parametrize("suffix", FORMS)
def test_what_comes_through_a_pipe_from_bcftools(work, source, expected, suffix):
    path = annotated(work, source, suffix)
    for form in ("v", "z", "u", "b"):
        data = subprocess.run(["bcftools", "view", f"-O{form}", path], capture_output=True, check=True).stdout
        assert told(work, "-", stdin=data)[1]["rows_by_status"] == dict(expected.most_common())


def test_of_several_runs_the_last_is_told(work, source):
    first = annotated(work, source, ".vcf")
    again = work.folder / "again.bcf"
    write_annotated(made_up_scores(first, seed=1), first, again)
    text, record = told(work, again)
    assert record["earlier"] == [record["janusdna"]]
    assert "\nearlier runs    1\n" in text


def test_records_that_were_not_annotated_have_no_status(work, source):
    path = annotated(work, source, ".vcf")
    with path.open("a") as file:
        file.write("1\t900\t.\tA\tG,T\t.\t.\tDP=1\n1\t901\t.\tA\tG\t.\t.\n")
    assert told(work, path)[1]["rows_by_status"]["."] == 3


def test_a_file_that_nobody_annotated(work, source):
    for path in (source, work.file("two.vcf", HEADER.replace("##FORMAT", "##janusdna=hello\n##FORMAT"))):
        result = work.run("info", path)
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"{path}: janusdna did not annotate it" in result.stderr


@pytest.mark.parametrize("suffix", FORMS)
def test_a_file_that_is_cut_off(work, source, suffix):
    path = annotated(work, source, suffix)
    path.write_bytes(path.read_bytes()[:-45])
    result = work.run("info", path)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
