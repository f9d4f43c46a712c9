import gzip
import hashlib
import logging
import os
import random
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pysam
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

CHR1 = "ACGTNacgtnRYKM" * 11
TEXT = (
    ">chr1 first of two\n"
    + "\n".join(CHR1[at : at + 60] for at in range(0, len(CHR1), 60))
    + "\n>MT\nGATTACA\n"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "janusdna" / "fasta"


def write(tmp_path: Path, text: str | bytes = TEXT, name: str = "x.fa", bgzip: bool = False) -> Path:
    path = tmp_path / name
    data = text.encode() if isinstance(text, str) else text
    if bgzip:
        with pysam.BGZFile(str(path), "wb") as file:
            file.write(data)
    else:
        path.write_bytes(data)
    return path


def make_read_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a folder is for others than root."""
    open_ = Path.open

    def refused(self: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if self.parent == folder and self.name != "x.fa" and "r" not in mode:
            raise PermissionError(13, "Permission denied")
        return open_(self, mode, *arguments, **named)

    monkeypatch.setattr(Path, "open", refused)


@pytest.mark.parametrize("bgzip", [False, True])
@pytest.mark.parametrize("name", ["x.fa", "x.fa.gz", "x"])
def test_content_is_read_whatever_the_suffix(tmp_path: Path, name: str, bgzip: bool) -> None:
    path = write(tmp_path, name=name, bgzip=bgzip)
    for _ in range(2):
        with Reference.open(str(path)) as reference:
            assert reference.path == str(path)
            assert list(reference.lengths.items()) == [("chr1", 154), ("MT", 7)]
            assert reference.fetch("chr1", 0, 154) == CHR1.upper().encode()
            assert reference.fetch("MT", 1, 4) == b"ATT"
            assert reference.find("1") == "chr1"
            assert reference.find("chrM") == "MT"
    made = {f"{name}.fai", f"{name}.gzi"} if bgzip else {f"{name}.fai"}
    assert {file.name for file in tmp_path.iterdir()} == {name, "cache"} | made


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (-5, -1), (3, 8), (8, 9), (5, 4)])
def test_nothing_is_clipped_silently(tmp_path: Path, start: int, end: int) -> None:
    with (
        Reference.open(write(tmp_path)) as reference,
        pytest.raises(ValueError, match="outside the contig's 7"),
    ):
        reference.fetch("MT", start, end)


def test_no_bases_can_be_fetched(tmp_path: Path) -> None:
    with Reference.open(write(tmp_path)) as reference:
        assert [reference.fetch("MT", at, at) for at in (0, 3, 7)] == [b"", b"", b""]
        with pytest.raises(KeyError):
            reference.fetch("M", 0, 1)


def test_md5_is_that_of_sam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("janusdna_cli.genome.fasta._PIECE", 10)
    with Reference.open(write(tmp_path)) as reference:
        for name, bases in (("chr1", CHR1.upper()), ("MT", "GATTACA")):
            assert reference.md5(name) == hashlib.md5(bases.encode()).hexdigest()
            assert reference.md5(name) == reference.md5(name)


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        (">a\nACGT\n\nACG\n".replace("\n\nACG", "\nACG"), {"a": 7}),
        (">a\nACGT\nACG", {"a": 7}),
        (">a\r\nACGT\r\nACG\r\n>b\r\nA\r\n", {"a": 7, "b": 1}),
        ("\n>a\nACGT\n\n>b\nA\n", {"a": 4, "b": 1}),
        (">a\nAC-T*\n", {"a": 5}),
        (">a\nACGT\nAC\n\n\n\n", {"a": 6}),
    ],
)
def test_writings_of_a_fasta(tmp_path: Path, text: str, lengths: dict[str, int]) -> None:
    path = write(tmp_path, text)
    for _ in range(2):
        with Reference.open(path) as reference:
            assert reference.lengths == lengths
            assert all(len(reference.fetch(name, 0, length)) == length for name, length in lengths.items())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "is empty, expected FASTA"),
        (b"\n\n", "holds no record, expected FASTA"),
        (b"chr1\t1\t2\n", r"starts with 'chr1\\t1\\t2', expected FASTA"),
        (b"@r1\nACGT\n+\n", "starts with '@r1', expected FASTA"),
        (b">a\nACGT\n>b\nAC\n>a\nA\n", r"line 5: a second record named 'a' \(the first is at line 1\)"),
        (b">a\nACGT\nAC\nACGT\n", "line 4: a line of 4 bases follows the end of record 'a'"),
        (b">a\nACGT\n\nACGT\n", "line 4: a line of 4 bases follows the end of record 'a'"),
        (b">a\nACGT\n>b\nACGT\nACGTA\n", "line 5: a line of 5 bases and the first has 4 in record 'b'"),
        (b">\nACGT\n", "line 1: found '>', expected a name right after '>'"),
        (b"> a\nACGT\n", "line 1: found '> a', expected a name right after '>'"),
    ],
)
@pytest.mark.parametrize("bgzip", [False, True])
def test_what_cannot_be_indexed_is_named(tmp_path: Path, text: bytes, problem: str, bgzip: bool) -> None:
    path = write(tmp_path, text, bgzip=bgzip)
    if bgzip and not text:
        problem = "holds no record"
    with pytest.raises(InputError, match=rf"x\.fa: {problem}[^\n]*$"):
        Reference.open(path)
    assert [file.name for file in tmp_path.iterdir()] == ["x.fa"]


def test_plain_gzip_says_how_to_convert(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(TEXT.encode()), "x.fa.gz")
    with pytest.raises(InputError, match=rf"is gzip, .*run: gunzip -c {path} \| bgzip > x\.fa\.bgz"):
        Reference.open(path)


def test_a_bgzip_file_cut_off_is_an_error(tmp_path: Path) -> None:
    bases = "".join(random.Random(0).choices("ACGT", k=300_000))
    path = write(tmp_path, f">a\n{bases}\n", bgzip=True)
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(InputError, match=r"x\.fa: byte [\d,]+: the compressed data ends early"):
        Reference.open(path)


def test_a_file_that_shrank_after_indexing_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, ">chr1\n" + "ACGT" * 100_000)
    with Reference.open(path) as reference:
        path.write_bytes(path.read_bytes()[:40])
        with pytest.raises(InputError, match="chr1:300000-300100 cannot be read"):
            reference.fetch("chr1", 300_000, 300_100)


@pytest.mark.parametrize(
    "index",
    [
        "chr1\t154\t19\t60\t61\nMT\t7\t9999\t7\t8\n",
        "chr1\t154\t19\t60\t61\n",
        "chr1\t154\t19\t60\t61\nMX\t7\t180\t7\t8\n",
        "chr1\t90\t19\t60\t61\nMT\t7\t180\t7\t8\n",
        "chr1\t154\t19\t60\n",
        "chr1\t154\t19\t0\t0\n",
        "chr1\tx\t19\t60\t61\n",
        "",
    ],
)
def test_an_index_that_does_not_fit_is_made_again(
    tmp_path: Path, index: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path)
    Path(f"{path}.fai").write_text(index)
    with caplog.at_level(logging.WARNING, "janusdna"), Reference.open(path) as reference:
        assert reference.lengths == {"chr1": 154, "MT": 7}
    assert "x.fa.fai is older or does not fit; indexing again" in caplog.text


def test_an_index_of_the_old_file_is_made_again(tmp_path: Path) -> None:
    path = write(tmp_path)
    Reference.open(path).close()
    write(tmp_path, ">chr9\nACGT\n")
    with Reference.open(path) as reference:
        assert reference.fetch("chr9", 0, 4) == b"ACGT"
    # Same layout, touched later.
    os.utime(f"{path}.fai", (1, 1))
    Reference.open(path).close()
    assert Path(f"{path}.fai").stat().st_mtime > 1


@pytest.mark.parametrize("damage", [b"", b"\x05" + bytes(7), b"\x01" + bytes(7) + b"\xff" * 16])
def test_a_broken_gzi_is_made_again(tmp_path: Path, damage: bytes) -> None:
    path = write(tmp_path, bgzip=True)
    Reference.open(path).close()
    Path(f"{path}.gzi").write_bytes(damage)
    with Reference.open(path) as reference:
        assert reference.fetch("MT", 0, 7) == b"GATTACA"
    assert Path(f"{path}.gzi").read_bytes() != damage


@pytest.mark.parametrize("bgzip", [False, True])
def test_beside_a_read_only_file_the_index_goes_to_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path, bgzip: bool
) -> None:
    path = write(tmp_path, bgzip=bgzip)
    make_read_only(tmp_path, monkeypatch)
    for _ in range(2):
        with Reference.open(path) as reference:
            assert reference.fetch("MT", 0, 7) == b"GATTACA"
    assert not Path(f"{path}.fai").exists()
    assert len(list(cache.iterdir())) == 2 + bgzip
    # Another file of the same name in the same place has an index of its own.
    write(tmp_path, ">chr9\nACGT\n", bgzip=bgzip)
    with Reference.open(path) as reference:
        assert reference.lengths == {"chr9": 4}
    assert len(list(cache.iterdir())) == 2 * (2 + bgzip)


def test_an_index_that_cannot_be_replaced_is_left_alone(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path)
    Path(f"{path}.fai").mkdir()
    with Reference.open(path) as reference:
        assert reference.fetch("MT", 0, 7) == b"GATTACA"
    assert {file.suffix for file in cache.iterdir()} == {".fai", ".checked"}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cache", "x.fa", "x.fa.fai"]


@pytest.mark.parametrize("bgzip", [False, True])
def test_nowhere_to_write_the_index_costs_a_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, bgzip: bool
) -> None:
    path = write(tmp_path, bgzip=bgzip)
    make_read_only(tmp_path, monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    for _ in range(2):
        with Reference.open(path) as reference:
            assert reference.fetch("MT", 0, 7) == b"GATTACA"
    (warning,) = caplog.messages
    assert re.search(r"x\.fa: its index can be written neither beside .* set XDG_CACHE_HOME$", warning)
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_as_long_as_can_be(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path, name="ä" * 125 + ".fa")  # 253 bytes: no room for a suffix
    for _ in range(2):
        with Reference.open(path) as reference:
            assert reference.md5("MT") == hashlib.md5(b"GATTACA").hexdigest()
    assert {file.suffix for file in cache.iterdir()} == {".fai", ".checked", ".md5"}


def test_a_user_without_a_home_has_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    path, temporary = write(tmp_path), tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(temporary))
    make_read_only(tmp_path, monkeypatch)
    Reference.open(path).close()
    written = {file.suffix for file in (temporary / f"janusdna-{os.getuid()}" / "fasta").iterdir()}
    assert written == {".fai", ".checked"}


def test_two_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    bases = "".join(random.Random(0).choices("ACGT", k=50_000))
    text = "".join(f">c{number}\n{bases}\n" for number in range(10))
    path = write(tmp_path, text)

    def last_bases(_: int) -> bytes:
        with Reference.open(path) as reference:
            return reference.fetch("c9", 49_990, 50_000)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(last_bases, range(16))) == {bases[-10:].encode()}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cache", "x.fa", "x.fa.fai"]


def test_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"hg38\.fa: no such file"):
        Reference.open(tmp_path / "hg38.fa")


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not here")
def test_real_references_are_read_with_their_indexes() -> None:
    with Reference.open(DATA / "variants" / "GRCh37_chr20.fa.gz") as reference:
        assert reference.lengths == {"20": 63_025_520}
        assert len(reference.md5("20")) == 32
