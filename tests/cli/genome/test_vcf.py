import gzip
import io
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pysam
import pytest

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.vcf import Variant, VariantReader
from janusdna_cli.records.bcf import framed_header

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
AWKWARD = sorted((DATA / "awkward-vcf").rglob("*.vcf"))
VALID = [path for path in AWKWARD if path.stem.startswith("passed")]
REAL = sorted((DATA / "variants").glob("*.vcf.gz"))
BCFTOOLS = shutil.which("bcftools") or ""

HEADER = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
needs_bcftools = pytest.mark.skipif(not BCFTOOLS, reason="bcftools is not installed")


def write(tmp_path: Path, data: bytes, name: str = "x.vcf") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


def read(path: str) -> list[Variant]:
    with VariantReader.open(path) as reader:
        return list(reader)


def table(variants: list[Variant]) -> str:
    rows = ((v.chrom, str(v.pos), v.id or ".", v.ref, ",".join(v.alts) or ".") for v in variants)
    return "".join("\t".join(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("line", "variant"),
    [
        (b"1\t5\trs1\tA\tG\t.\t.\t.", Variant("1", 5, "rs1", "A", ("G",))),
        (b"1\t5\t.\tA\tG,<DEL>,*\t.\t.\t.", Variant("1", 5, None, "A", ("G", "<DEL>", "*"))),
        (b"1\t5\t.\tA\t.\t.\t.\t.", Variant("1", 5, None, "A", ())),
        (b"1\t0\ta;b\tn\t]2:3]a\t.\t.\t.", Variant("1", 0, "a;b", "n", ("]2:3]a",))),
        (b"chr:1\t-1\t.\tac\tR\t.\t.\t.", Variant("chr:1", -1, None, "ac", ("R",))),
        # Nothing is lost of what can be read.
        (b"1\t5\t.\tA\tC,,T\t.\t.\t.", Variant("1", 5, None, "A", ("C", "", "T"))),
        (b"1\t5\t.\tA\tC", Variant("1", 5, None, "A", ("C",))),
        (b"1\t5\t.\tA\tC\tx\ty\tno=such;info\tGT\t\xff", Variant("1", 5, None, "A", ("C",))),
        (b"1\t30000000000\t.\tA\tC\t.\t.\t.", Variant("1", 30_000_000_000, None, "A", ("C",))),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_each_line_is_a_variant(tmp_path: Path, line: bytes, end: bytes, variant: Variant) -> None:
    assert read(write(tmp_path, HEADER + line + end)) == [variant]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"1\t5\t.\tA", "found 4 columns in"),
        (b"1 5 . A G . . .", "found 1 columns in .* separated by tabs"),
        (b"1\t.\t.\tA\tG\t.\t.\t.", "POS is '.', expected an integer like 12345"),
        (b"1\t1e3\t.\tA\tG\t.\t.\t.", "POS is '1e3'"),
        (b"1\t1_0\t.\tA\tG\t.\t.\t.", "POS is '1_0'"),
        (b"1\t\t.\tA\tG\t.\t.\t.", "POS is ''"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: bytes, problem: str) -> None:
    good = b"1\t5\t.\tA\tG\t.\t.\t.\n"
    with VariantReader.open(write(tmp_path, HEADER + good + line + b"\n" + good)) as reader:
        assert next(reader).pos == 5
        with pytest.raises(RecordError, match=rf"x\.vcf: line 4: {problem}"):
            next(reader)


def test_a_last_line_without_its_columns_is_a_file_cut_off(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="line 3: the file ends within this line"):
        read(write(tmp_path, HEADER + b"1\t5\t.\tA\tG"))
    assert len(read(write(tmp_path, HEADER + b"1\t5\t.\tA\tG\t.\t.\t."))) == 1
    assert len(read(write(tmp_path, b"#CHROM\tPOS\tID\tREF\tALT\n1\t5\t.\tA\tG"))) == 1


def test_blank_lines_and_comments_are_no_records(tmp_path: Path) -> None:
    text = b"\n" + HEADER + b"\n#\n1\t5\t.\tA\tG\t.\t.\t.\n\r\n"
    assert len(read(write(tmp_path, text))) == 1


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty, expected a VCF"),
        (b"\n\n", "is empty, expected a VCF"),
        (b">chr1\nACGT\n", "line 1: found '>chr1', expected VCF"),
        (b"chr1\t10\t20\n", r"line 1: found 'chr1\\t10\\t20', expected VCF"),
        (b"#chrom\tstart\tend\nchr1\t10\t20\n", r"line 2: found 'chr1\\t10\\t20', expected VCF"),
        (b"##fileformat=VCFv4.2\n#CHROM POS ID REF ALT\n", "line 2: found '#CHROM POS ID REF ALT', .* tabs"),
        (b"##fileformat=VCFv4.2\n", "has no #CHROM line"),
        (b"1\t5\t.\tA\tG\t.\t.\t.\n", "line 1: a record without a header before it"),
        (b"#chrom\tstart\tend\nchr1\t10\t20\tx\t0\t+\n", "line 2: a record without a header before it"),
        (b"##x\n1\t5\t.\tA\tG\t.\t.\t.\n", "line 2: a record without a header before it"),
        (b"BCF\x04\x00rest", "is BCF version 1 or damaged"),
    ],
)
def test_what_is_no_vcf_says_so(tmp_path: Path, data: bytes, problem: str) -> None:
    with pytest.raises(InputError, match=rf"x\.vcf: {problem}"):
        VariantReader.open(write(tmp_path, data))


def test_a_broken_meta_line_is_only_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = b'##fileformat=VCFv4.2\n##ALT=<ID=DEL,Description="two\nlines">\n'
    text = broken + HEADER + b"1\t5\t.\tA\tG\t.\t.\t.\n"
    with caplog.at_level(logging.WARNING, "janusdna"):
        assert len(read(write(tmp_path, text))) == 1
    assert "x.vcf: line 3: not a header line" in caplog.text


@pytest.mark.parametrize(
    ("line", "reference"),
    [
        (b"##reference=file:///data/hs37d5.fa\n", "/data/hs37d5.fa"),
        (b"##reference=GRCh38.fa\r\n", "GRCh38.fa"),
        (b"##reference=\n", None),
        (b"##source=x\n", None),
    ],
)
def test_the_reference_is_what_the_header_names(tmp_path: Path, line: bytes, reference: str | None) -> None:
    with VariantReader.open(write(tmp_path, line + HEADER)) as reader:
        assert reader.reference == reference


def test_lengths_are_those_of_the_contig_lines(tmp_path: Path) -> None:
    lines = [
        b"##contig=<ID=1,length=249250621>",
        b"##contig=<ID=MT,length=16569,assembly=b37>\r",
        b'##contig=<assembly="a, ID=no, length=7",length=9,md5=x,ID=HLA-A*01:01:01:01>',
        b'##contig=<ID=a=b,Description="a \\"quote\\", length=1",length=10>',
        b"##contig=<ID=without>",
        b"##contig=<ID=unknown,length=.>",
        b"##contig=<ID=negative,length=-1>",
        b"##contig=<length=5>",
        b"##contig=chr1",
        b"##INFO=<ID=X,length=3>",
    ]
    with VariantReader.open(write(tmp_path, b"\n".join([*lines, HEADER]))) as reader:
        assert reader.contig_lengths == {"1": 249_250_621, "MT": 16_569, "HLA-A*01:01:01:01": 9, "a=b": 10}


@pytest.mark.parametrize("path", VALID + REAL or [None], ids=lambda path: path and path.stem)
def test_lengths_are_those_that_htslib_reads(path: Path | None) -> None:
    if path is None:
        pytest.skip(f"{DATA} is not here")
    with pysam.VariantFile(str(path)) as file:
        contigs = {name: contig.length for name, contig in file.header.contigs.items()}
    with VariantReader.open(str(path)) as reader:
        lengths = reader.contig_lengths
    # Of a contig that is declared twice htslib knows the first line only.
    told = {name: length for name, length in contigs.items() if length}
    assert {name: length for name, length in lengths.items() if contigs[name]} == told


def test_a_text_vcf_may_be_cut_off_only_loudly(tmp_path: Path) -> None:
    text = HEADER + b"".join(
        b"1\t%d\t.\tA\tG\t.\t.\tX=%d\n" % (pos, pos * pos % 977) for pos in range(20_000)
    )
    whole = gzip.compress(text)
    with VariantReader.open(write(tmp_path, whole[: len(whole) // 2])) as reader:
        before = [next(reader) for _ in range(5_000)]
        with pytest.raises(RecordError, match=r"x\.vcf: after line \d+: .* cut off"):
            before.extend(reader)
    assert [variant.pos for variant in before] == list(range(len(before)))


@pytest.mark.parametrize("path", AWKWARD or [None], ids=lambda path: path and path.stem)
def test_awkward_files_lose_no_line(path: Path | None) -> None:
    if path is None:
        pytest.skip(f"{DATA / 'awkward-vcf'} is not here")
    body = path.read_bytes().partition(b"\n#CHROM\t")[2].split(b"\n")[1:]
    lines = [line.rstrip(b"\r") for line in body if line.strip()]
    if re.search("failed_body_pos_00[01]|failed_empty", path.name):
        with pytest.raises(InputError, match=rf"^{re.escape(str(path))}: (line 4: POS is|is empty)[^\n]+$"):
            read(str(path))
        return
    expected = "".join(b"\t".join(line.split(b"\t")[:5]).decode() + "\n" for line in lines)
    assert table(read(str(path))) == expected


@needs_bcftools
@pytest.mark.parametrize("path", REAL or [None], ids=lambda path: path and path.stem)
@pytest.mark.parametrize("form", ["z", "u", "b"])
def test_real_files_read_as_bcftools_reads_them(tmp_path: Path, path: Path | None, form: str) -> None:
    if path is None:
        pytest.skip(f"{DATA / 'variants'} is not here")
    query = [BCFTOOLS, "query", "-f", "%CHROM\t%POS\t%ID\t%REF\t%ALT\n", str(path)]
    expected = subprocess.run(query, capture_output=True, check=True, text=True).stdout
    source = path
    if form != "z":
        source = tmp_path / "x.bcf"
        subprocess.run([BCFTOOLS, "view", f"-O{form}", "-o", str(source), str(path)], check=True)
    assert table(read(str(source))) == expected


@pytest.fixture
def bcf(tmp_path: Path) -> Path:
    """Contigs declared out of order, long alleles, a long and an absent ID, samples."""
    header = pysam.VariantHeader()
    header.add_line("##reference=file:///x.fa")
    header.add_line('##contig=<ID=other,length=9,Description="a, ID=b">')
    header.add_line("##contig=<ID=HLA-A*01:01,length=9000>")
    header.add_line("##contig=<ID=without>")
    header.add_line('##INFO=<ID=END,Number=1,Type=Integer,Description="e">')  # pysam writes it for <DEL>
    header.add_line('##FORMAT=<ID=GT,Number=1,Type=String,Description="g">')
    for sample in range(50):
        header.add_sample(f"s{sample}")
    path = tmp_path / "x.bcf"
    with pysam.VariantFile(str(path), "wb", header=header) as file:
        for start, alleles in enumerate([("A", "G"), ("A" * 400, "<DEL>", "*"), ("C", "C" * 15)]):
            record = file.new_record(
                contig="HLA-A*01:01", start=start, alleles=alleles, id="i" * (300 * start) or "."
            )
            record.samples["s0"]["GT"] = (0, 1)
            file.write(record)
    return path


BCF_VARIANTS = [
    Variant("HLA-A*01:01", 1, None, "A", ("G",)),
    Variant("HLA-A*01:01", 2, "i" * 300, "A" * 400, ("<DEL>", "*")),
    Variant("HLA-A*01:01", 3, "i" * 600, "C", ("C" * 15,)),
]


def test_bcf_reads_like_vcf(bcf: Path) -> None:
    with VariantReader.open(str(bcf)) as reader:
        assert reader.reference == "/x.fa"
        assert reader.contig_lengths == {"other": 9, "HLA-A*01:01": 9000}
        assert list(reader) == BCF_VARIANTS


def test_the_records_of_a_text_are_its_lines(tmp_path: Path) -> None:
    lines = [b"1\t5\t.\tA\tG\t.\t.\tDP=3;\xff\r\n", b"1\t6\t.\tA\tC,T\n", b"2\t1\t.\tA\t.\t.\t.\t."]
    source = write(tmp_path, b"\n" + HEADER + b"\n#\n" + b"".join(lines))
    with VariantReader.open(source, keep_records=True) as reader:
        assert b"".join(reader.header.lines) == b"\n" + HEADER
        assert not reader.header.is_bcf
        assert [variant.record for variant in reader] == lines
    assert {variant.record for variant in read(source)} == {None}


def test_header_and_records_of_a_bcf_are_all_of_it(bcf: Path) -> None:
    plain = gzip.decompress(bcf.read_bytes())
    with VariantReader.open(str(bcf), keep_records=True) as reader:
        assert reader.header.magic == plain[:5]
        assert (
            framed_header(reader.header.magic, reader.header.lines)
            + b"".join(variant.record or b"" for variant in reader)
            == plain
        )
    assert {variant.record for variant in read(str(bcf))} == {None}


def test_bcf_may_be_cut_off_only_loudly(bcf: Path, tmp_path: Path) -> None:
    plain = gzip.decompress(bcf.read_bytes())
    complete = {len(plain)}
    for size in range(len(plain)):
        source = write(tmp_path, plain[:size], "cut.bcf")
        try:
            variants = read(source)
        except InputError:
            continue
        complete.add(size)
        assert variants == BCF_VARIANTS[: len(variants)]
    # The header's end and the records' ends: there a cut cannot be seen without bgzip's end marker.
    assert len(complete) == 4


def test_damaged_bcf_records_are_errors_by_number(
    bcf: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plain = gzip.decompress(bcf.read_bytes())
    first = 9 + int.from_bytes(plain[5:9], "little")
    unknown = plain[: first + 8] + b"\x63" + plain[first + 9 :]
    with pytest.raises(RecordError, match=r"u\.bcf: record 1: is damaged"):
        read(write(tmp_path, unknown, "u.bcf"))
    for at in range(first, len(plain)):
        damaged = plain[:at] + bytes([plain[at] ^ 0xFF]) + plain[at + 1 :]
        try:
            assert len(read(write(tmp_path, damaged, "d.bcf"))) <= 3
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017
    assert capfd.readouterr() == ("", "")


def test_damaged_compression_of_a_bcf_is_told_as_such(bcf: Path, tmp_path: Path) -> None:
    plain = gzip.compress(gzip.decompress(bcf.read_bytes()) * 2)
    with pytest.raises(InputError, match=r"cut\.bcf: the compressed data ends early"):
        read(write(tmp_path, plain[: len(plain) // 2], "cut.bcf"))


def test_a_bcf_may_be_left_before_its_end(bcf: Path, tmp_path: Path) -> None:
    plain = gzip.decompress(bcf.read_bytes())
    records = plain[9 + int.from_bytes(plain[5:9], "little") :]
    source = write(tmp_path, plain + records * 2_000, "long.bcf")
    before = set(threading.enumerate())
    for _ in range(5):
        with VariantReader.open(source) as reader:
            assert next(reader) == BCF_VARIANTS[0]
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) <= before


STOP_EARLY = """
import sys
from janusdna_cli.genome.vcf import VariantReader
with VariantReader.open("-") as reader:
    print(next(reader).pos)
"""


def test_a_bcf_on_stdin_may_be_left_while_more_is_to_come(bcf: Path) -> None:
    plain = gzip.decompress(bcf.read_bytes())
    records = plain[9 + int.from_bytes(plain[5:9], "little") :]
    command = [sys.executable, "-c", STOP_EARLY]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write((plain + records * 100)[:60_000])
        process.stdin.flush()
        code = process.wait(60)
        assert process.stdout is not None
        assert process.stderr is not None
        assert (code, process.stdout.read(), process.stderr.read()) == (0, b"1\n", b"")


@pytest.mark.parametrize("form", ["vcf", "vcf.gz", "bcf"])
def test_stdin_is_read_as_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bcf: Path, form: str
) -> None:
    text = HEADER + table(BCF_VARIANTS).replace("\n", "\t.\t.\t.\n").encode()
    data = {"vcf": text, "vcf.gz": gzip.compress(text), "bcf": bcf.read_bytes()}[form]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    with pipe.open() as end:
        monkeypatch.setattr("sys.stdin", end)
        assert read("-") == BCF_VARIANTS
    writer.join()


def test_an_error_on_stdin_names_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(HEADER + b"1\tx\t.\tA\tG\n")))  # type: ignore[arg-type]
    monkeypatch.setattr("sys.stdin", stdin)
    with VariantReader.open("-") as reader, pytest.raises(RecordError, match="stdin: line 3: POS is 'x'"):
        next(reader)
