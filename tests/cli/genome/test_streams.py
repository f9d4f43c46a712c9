import gzip
import io
import logging
from pathlib import Path

import pysam
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome.streams import InputStream

TEXT = b"".join(b"line %d\n" % number for number in range(20_000))


def bgzip(path: Path, data: bytes = TEXT) -> Path:
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(data)
    return path


@pytest.mark.parametrize("form", ["plain", "gzip", "bgzip"])
def test_content_tells_the_compression_whatever_the_suffix(tmp_path: Path, form: str) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(gzip.compress(TEXT) if form == "gzip" else TEXT)
    if form == "bgzip":
        bgzip(path)
    with InputStream(str(path)) as stream:
        assert stream.peek(4) == b"line"
        assert b"".join(line for _, line in stream.lines()) == TEXT


@pytest.mark.parametrize("form", ["gzip", "bgzip"])
def test_a_file_cut_off_is_an_error_that_says_after_which_line(tmp_path: Path, form: str) -> None:
    whole = gzip.compress(TEXT) if form == "gzip" else bgzip(tmp_path / "whole.gz").read_bytes()
    path = tmp_path / "cut.gz"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with (
        InputStream(str(path)) as stream,
        pytest.raises(InputError, match=r"cut\.gz: after line \d+: .*cut off"),
    ):
        list(stream.lines())


def test_damage_within_the_compressed_data_is_an_error(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(TEXT))
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "x.gz"
    path.write_bytes(data)
    with InputStream(str(path)) as stream, pytest.raises(InputError, match=r"x\.gz: after line \d+: "):
        list(stream.lines())


def test_a_missing_bgzip_end_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = bgzip(tmp_path / "x.gz")
    path.write_bytes(path.read_bytes()[:-28])
    with caplog.at_level(logging.WARNING, "janusdna"), InputStream(str(path)) as stream:
        assert sum(1 for _ in stream.lines()) == 20_000
    assert "end marker is missing" in caplog.text


@pytest.mark.parametrize(
    ("magic", "kind"), [(b"BZh9", "bzip2"), (b"PK\x03\x04", "zip"), (b"\xfd7zXZ\x00", "xz")]
)
def test_another_compression_is_named(tmp_path: Path, magic: bytes, kind: str) -> None:
    path = tmp_path / "x.vcf.gz"
    path.write_bytes(magic + bytes(100))
    with pytest.raises(InputError, match=f"{kind}-compressed, expected plain, gzip or bgzip"):
        InputStream(str(path))


def test_no_file_and_a_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.bed: no such file"):
        InputStream(str(tmp_path / "nothing.bed"))
    with pytest.raises(InputError, match="is a directory"):
        InputStream(str(tmp_path))


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "x.bed"
    path.write_bytes(b"\xef\xbb\xbfchr1\t1\t2\n")
    with InputStream(str(path)) as stream:
        assert list(stream.lines()) == [(1, b"chr1\t1\t2\n")]


def test_stdin_stays_open_and_a_closed_one_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(gzip.compress(b"a\nb\n"))))  # type: ignore[arg-type]
    monkeypatch.setattr("sys.stdin", stdin)
    with InputStream("-") as stream:
        assert [line for _, line in stream.lines()] == [b"a\n", b"b\n"]
    assert not stdin.buffer.closed
    stdin.close()
    with pytest.raises(InputError, match="stdin: is closed"):
        InputStream("-")
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="stdin: is closed"):
        InputStream("-")
