"""VCF and BCF outputs of real, odd and large files, as bcftools reads them."""

import gzip
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pysam
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.outputs.vcf_provenance import provenances

from ..made_up_scores import METADATA, bcftools, made_up_scores, without_ours, write_annotated

pytestmark = pytest.mark.skipif(not shutil.which("bcftools"), reason="bcftools is not installed")

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
AWKWARD = sorted((SHARED / "awkward-vcf").rglob("*.vcf"))
FORMS = ["out.vcf", "out.vcf.gz", "out.bcf"]
OURS = "INFO/JANUS_LLR,INFO/JANUS_DPLL,INFO/JANUS_STATUS"
SITE = "%CHROM\t%POS\t%ID\t%REF\t%ALT\n"


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The 1000 Genomes' records of a megabase, as text and as BCF, and scores of them."""
    text = SHARED / "variants" / "1kg_phase3_chr20_1-2Mb.GRCh37.vcf.gz"
    if not text.is_file():
        pytest.skip(f"{text} is not here")
    bcf = tmp_path_factory.mktemp("real") / "real.bcf"
    bcftools("view", "--no-version", "-Ob", "-o", bcf, text)
    return {"text": text, "bcf": bcf}, made_up_scores(text)


def plain(path):
    data = path.read_bytes()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def queried(path, field):
    """Values of a field, row by row, as bcftools prints them: a float with six digits."""
    values = bcftools("query", "-f", f"%INFO/{field}\\n", path).decode().split()
    return [value for of_record in values for value in of_record.split(",")]


def by_htslib(path, field):
    """Values of a field, row by row, with all digits."""
    with pysam.VariantFile(str(path)) as file:
        return [value for record in file for value in record.info[field]]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("origin", ["text", "bcf"])
def test_the_real_file_in_every_form(tmp_path, real, origin, name):
    sources, table = real
    source, path = sources[origin], tmp_path / name
    write_annotated(table, source, path, rows=10_000)

    for column, field in {"llr": "JANUS_LLR", "delta_pll": "JANUS_DPLL"}.items():
        expected = table[column].to_pylist()
        assert by_htslib(path, field) == expected
        pairs = list(zip(queried(path, field), expected, strict=True))
        assert {shown for shown, value in pairs if value is None} == {"."}
        found, wanted = zip(
            *((float(shown), value) for shown, value in pairs if value is not None), strict=True
        )
        np.testing.assert_allclose(found, wanted, rtol=5.0001e-6)  # the half of a sixth digit
    assert queried(path, "JANUS_STATUS") == table["status"].to_pylist()

    if origin == "text" and name != "out.bcf":
        assert without_ours(plain(path)) == plain(source)
    as_before = bcftools("annotate", "--no-version", "-x", OURS, path)
    assert records_of(as_before) == bcftools("view", "-H", source)

    with VariantReader.open(str(path)) as reader:
        assert provenances(reader.header.lines) == [METADATA_AS_KEPT]


METADATA_AS_KEPT = METADATA | {"contig_md5": {"20": "x", "chr\ufffd": None}}


def records_of(vcf):
    return b"".join(line for line in vcf.splitlines(keepends=True) if not line.startswith(b"#"))


@pytest.mark.parametrize("name", ["out.vcf.gz", "out.bcf"])
def test_the_real_file_by_region_and_against_its_genome(tmp_path, real, name):
    sources, table = real
    source, path = sources["text"], tmp_path / name
    write_annotated(table, source, path)
    region = "20:1500000-1510000"
    found = bcftools("query", "-r", region, "-f", SITE, path)
    assert found.count(b"\n") > 100
    by_bcftools = tmp_path / f"by_bcftools.{name}"
    bcftools("view", "-Ob" if name == "out.bcf" else "-Oz", "-o", by_bcftools, source)
    bcftools("index", by_bcftools)
    assert found == bcftools("query", "-r", region, "-f", SITE, by_bcftools)
    genome = SHARED / "variants" / "GRCh37_chr20.fa.gz"
    checked = subprocess.run(
        ["bcftools", "norm", "-c", "e", "-f", genome, "-o", "/dev/null", path],
        capture_output=True,
    )
    assert checked.returncode == 0, checked.stderr
    assert b"28998/0/0/0" in checked.stderr  # records in all; none is split, realigned or skipped


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("file", ["gvcf_chr20_GRCh37.g.vcf.gz", "multisample_chr20_GRCh38.vcf.gz"])
@pytest.mark.parametrize("origin", ["text", "bcf"])
def test_other_real_files(tmp_path, file, name, origin):
    text = SHARED / "variants" / file
    if not text.is_file():
        pytest.skip(f"{text} is not here")
    source = text
    if origin == "bcf":
        source = tmp_path / "in.bcf"
        bcftools("view", "--no-version", "-Ob", "-o", source, text)
    path = tmp_path / name
    write_annotated(made_up_scores(source), source, path)
    if origin == "text" and name != "out.bcf":
        assert without_ours(plain(path)) == plain(source)
    as_before = bcftools("annotate", "--no-version", "-x", OURS, path)
    assert records_of(as_before) == bcftools("view", "-H", source)


@pytest.mark.parametrize("path", AWKWARD or [None], ids=lambda path: path and path.stem)
def test_awkward_files(tmp_path, path):
    """Text: what bcftools and this reader read before, they read after. BCF: that, or one line."""
    if path is None:
        pytest.skip(f"{SHARED / 'awkward-vcf'} is not here")
    try:
        table = made_up_scores(path)
    except InputError:
        return
    before = subprocess.run(["bcftools", "view", "-H", path], capture_output=True)
    write_annotated(table, path, tmp_path / "out.vcf")
    with VariantReader.open(str(path)) as expected, VariantReader.open(str(tmp_path / "out.vcf")) as found:
        assert list(found) == list(expected)
    if before.returncode == 0:
        assert bcftools("view", "-H", tmp_path / "out.vcf").count(b"\n") == before.stdout.count(b"\n")
    try:
        write_annotated(table, path, tmp_path / "out.bcf")
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017
        assert not (tmp_path / "out.bcf").exists()
    else:
        assert bcftools("view", "-H", tmp_path / "out.bcf").count(b"\n") == before.stdout.count(b"\n")


@pytest.mark.parametrize("name", FORMS)
def test_thousands_of_samples_and_a_long_info(tmp_path, name):
    rng = np.random.default_rng(1)
    samples = [f"s{i}" for i in range(3000)]
    header = [
        "##fileformat=VCFv4.4",
        "##contig=<ID=chr1,length=100000>",
        '##INFO=<ID=LONG,Number=.,Type=String,Description="long">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">',
        '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="a">',
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]),
    ]
    lines = []
    for pos in range(1, 60):
        calls = [f"{a}|{b}:{a},{b}" for a, b in rng.integers(0, 2, (3000, 2))]
        info = "LONG=" + "x" * 1_000_000 if pos == 30 else "."
        lines.append("\t".join(["chr1", str(pos), ".", "A", "G", ".", "PASS", info, "GT:AD", *calls]))
    source = tmp_path / "in.vcf"
    source.write_text("\n".join([*header, *lines, ""]))
    path = tmp_path / name
    write_annotated(made_up_scores(source), source, path)
    as_before = bcftools("annotate", "--no-version", "-x", OURS, path)
    assert records_of(as_before) == bcftools("view", "-H", source)


@pytest.mark.parametrize("name", FORMS)
def test_provenance_survives_bcftools_and_both_forms(tmp_path, name):
    source = tmp_path / "in.vcf"
    source.write_bytes(
        b"##fileformat=VCFv4.2\n##contig=<ID=1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    )
    table = made_up_scores(source)
    write_annotated(table, source, tmp_path / "once.vcf")
    write_annotated(table, tmp_path / "once.vcf", tmp_path / name)
    path = tmp_path / name
    for form in ("-Ob", "-Ov", "-Ou", "-Oz"):
        after = tmp_path / f"after{form}"
        bcftools("view", form, "-o", after, path)
        path = after
        with VariantReader.open(str(path)) as reader:
            assert provenances(reader.header.lines) == [METADATA_AS_KEPT] * 2
