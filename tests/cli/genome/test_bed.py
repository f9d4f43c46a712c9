import gzip
import io
import itertools
import re
from pathlib import Path

import pytest

from janusdna_cli.errors import RecordError
from janusdna_cli.genome.bed import Region, read_regions

AWKWARD = Path(__file__).resolve().parents[4] / "shared" / "data" / "awkward-bed"
# Those of the collection that are no BED: sequences, other tables, alignments, and a BED with 8e02 in it.
NO_BED = {
    "t.fa", "t_fH.fa", "test.iupac.fa", "test.fa", "_assemblies.yml", "test.chrom.sizes", "expFormat.bed",
    "toy.bam", "toy.bam.bai", "toy.sam",
}  # fmt: skip


def write(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "x.bed"
    path.write_bytes(data)
    return str(path)


def spans(path: str) -> list[tuple[str, int, int]]:
    return [(region.chrom, region.start, region.end) for region in read_regions(path)]


def test_all_columns_are_kept_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path, b"chr1\t0\t50\tgene 1\t0.5\t-\t.\t\tx\n")
    extra = ("gene 1", "0.5", "-", ".", "", "x")
    assert list(read_regions(path)) == [Region("chr1", 0, 50, "gene 1", "-", extra, line=1)]


@pytest.mark.parametrize(
    ("line", "name", "strand"),
    [
        (b"chr1\t1\t2", None, None),
        (b"chr1\t1\t2\ta", "a", None),
        (b"chr1\t1\t2\t.", ".", None),
        (b"chr1\t1\t2\ta\t0\t+", "a", "+"),
        (b"chr1\t1\t2\ta\t0\t.", "a", "."),
        # JASPAR's: a score in the strand's column, the strand in the seventh.
        (b"chr1\t10470\t10489\tCTCF\t803\t390\t-", "CTCF", None),
    ],
)
def test_name_and_strand(tmp_path: Path, line: bytes, name: str | None, strand: str | None) -> None:
    (region,) = read_regions(write(tmp_path, line))
    assert (region.name, region.strand) == (name, strand)


@pytest.mark.parametrize(
    "data",
    [
        b"chr1\t1\t2\nchr2\t3\t4\n",
        b"chr1\t1\t2\nchr2\t3\t4",
        b"chr1\t1\t2\r\nchr2\t3\t4\r\n",
        b"chr1\t1\t2\n\n  \n\nchr2\t3\t4\n\n",
        b"chr1 1 2\nchr2   3 4\n",
        b"#chr start end\nchr1\t1\t2\n# in between\nchr2\t3\t4\n",
        b"browser position chr1:1-2\ntrack name=x\nchr1\t1\t2\ntrack\nchr2\t3\t4\n",
        b"chrom\tstart\tend\nchr1\t1\t2\nchr2\t3\t4\n",
        b"# made by hand\n\nchrom\tchromStart\tchromEnd\tname\nchr1\t1\t2\nchr2\t3\t4\n",
        b"chr1\t1 \t 2\nchr2\t3\t4\n",
    ],
)
def test_what_surrounds_the_regions_does_not_matter(tmp_path: Path, data: bytes) -> None:
    assert spans(write(tmp_path, data)) == [("chr1", 1, 2), ("chr2", 3, 4)]


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    regions = read_regions(write(tmp_path, b"#x\n\ntrack\nchr1\t1\t2\n\nchr1\t2\t3"))
    assert [region.line for region in regions] == [4, 6]


def test_no_bases_and_many_are_regions(tmp_path: Path) -> None:
    assert spans(write(tmp_path, b"a\t5\t5\nb\t0\t0\nc\t0\t30000000000\n")) == [
        ("a", 5, 5),
        ("b", 0, 0),
        ("c", 0, 30_000_000_000),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"chr1\t5", r"found 'chr1\\t5', expected chrom, start and end"),
        (b"chr1", "found 'chr1', expected chrom, start and end"),
        (b"chr1\t8e02\t830", "start is '8e02', expected an integer"),
        (b"chr1\t1_0\t830", "start is '1_0', expected an integer"),
        (b"chr1\t1,000\t2,000", "start is '1,000', expected an integer"),
        (b"chr1\t1\t2.5", "end is '2.5', expected an integer"),
        (b"chr1\t1\t", "end is '', expected an integer"),
        (b"chr1\t-1\t2", "start is -1, expected 0 or more"),
        (b"chr1\t9\t8", "end 8 lies before start 9"),
        (b"chr1\t1\t9999999999999999999", "end is '9999999999999999999', expected an integer"),
        (b"chrom\tstart\tend", "start is 'start', expected an integer"),
        (b"\xff\xfe\x00", r"found 'ÿþ\\x00', expected chrom, start and end"),
    ],
)
def test_a_broken_line_is_an_error_with_its_number(tmp_path: Path, line: bytes, problem: str) -> None:
    regions = read_regions(write(tmp_path, b"#\nchr1\t1\t2\n" + line + b"\n"))
    assert next(regions).start == 1
    with pytest.raises(RecordError, match=rf"x\.bed: line 3: {problem}"):
        next(regions)


def test_only_words_make_a_header(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="line 1: start is 'x'"):
        list(read_regions(write(tmp_path, b"chr1\tx\ty\nchr1\t1\t2\n")))


def test_a_stray_byte_costs_no_region(tmp_path: Path) -> None:
    regions = list(read_regions(write(tmp_path, b"chr1\t1\t2\tcaf\xe9\nchr1\t1\t2\tcaf\xc3\xa9\n")))
    assert [region.name for region in regions] == ["café", "café"]


def test_regions_are_read_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            line = b"chr1\t1\t2\n"
            buffer[: len(line)] = line
            return len(line)

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(Endless())))
    assert sum(1 for _ in itertools.islice(read_regions("-"), 10_000)) == 10_000


def test_an_empty_file_has_no_regions(tmp_path: Path) -> None:
    assert spans(write(tmp_path, b"")) == []


@pytest.mark.skipif(not AWKWARD.is_dir(), reason=f"{AWKWARD} is not here")
def test_real_awkward_files_are_read_or_refused_in_one_line() -> None:
    for path in sorted(path for path in AWKWARD.rglob("*") if path.is_file()):
        if path.stat().st_size and (path.name in NO_BED or path.name.endswith(".seqinfo.tsv")):
            with pytest.raises(RecordError, match=rf"^{re.escape(str(path))}: line \d+: [^\n]+$"):
                list(read_regions(str(path)))
        else:
            assert len(list(read_regions(str(path)))) == count_regions(path), path


def count_regions(path: Path) -> int:
    text = path.read_bytes()
    lines = (gzip.decompress(text) if path.suffix == ".gz" else text).decode().splitlines()
    return sum(bool(line.strip()) and not line.startswith(("#", "track", "chrom\t")) for line in lines)
