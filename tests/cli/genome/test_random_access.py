"""Bytes at any place, against the text that was written; contigs beyond 2^32 in files with holes."""

import gzip
import logging
import os
import random
from collections.abc import Callable
from pathlib import Path

import pysam
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome.bgzf import Blocks
from janusdna_cli.genome.bgzip import with_random_access
from janusdna_cli.genome.fai import Record
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.random_access import RandomAccess

BASES = "".join(random.Random(3).choices("ACGT", k=400_000))
TEXT = "".join(
    f">{name}\n" + "".join(BASES[at + i : at + i + 60] + "\n" for i in range(0, 100_000, 60))
    for name, at in (("a", 0), ("b", 100_000), ("c", 200_000), ("d", 300_000))
).encode()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def bgzip(path: Path, data: bytes = TEXT) -> Path:
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(data)
    return path


def open_bytes(path: Path, compressed: bool = False) -> RandomAccess:
    with path.open("rb") as file:
        return RandomAccess(file.fileno(), Blocks.walk(str(path), file) if compressed else None)


@pytest.mark.parametrize("compressed", [False, True])
def test_any_bytes(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "x"
    path.write_bytes(bgzip(path).read_bytes() if compressed else TEXT)
    with open_bytes(path, compressed) as file:
        assert file.size == len(TEXT)
        rng = random.Random(0)
        for length in (0, 1, 60, 65_279, 65_280, 65_281, 200_000):
            for _ in range(20):
                start = rng.randrange(len(TEXT) - length)
                assert file.read(start, start + length) == TEXT[start : start + length]
        assert b"".join(file.stream()) == TEXT
        with pytest.raises(OSError, match="ends early"):
            file.read(len(TEXT) - 5, len(TEXT) + 1)
        with file.another() as other:
            path.unlink()
            assert other.read(0, 3) == TEXT[:3]


def test_the_table_is_that_of_bgzip(tmp_path: Path) -> None:
    # Two bgzip files, one behind the other, with the first one's end between them.
    path = tmp_path / "x.fa.gz"
    path.write_bytes(bgzip(path).read_bytes() + bgzip(path, b">e\nACGT\n").read_bytes())
    pysam.faidx(str(path), catch_stdout=False)
    with path.open("rb") as file:
        walked = Blocks.walk(str(path), file)
        assert walked.in_text[-1] == len(TEXT) + len(b">e\nACGT\n")
        for table in (f"{path}.gzi", f"{path}.own"):
            if table.endswith("own"):
                walked.write(Path(table))
            found = Blocks.read(Path(table), str(path), file)
            assert found.in_file[-1] == path.stat().st_size
            file_bytes = RandomAccess(file.fileno(), found)
            assert file_bytes.read(0, file_bytes.size) == TEXT + b">e\nACGT\n"
    with Reference.open(path) as reference:
        assert list(reference.lengths) == list("abcde")


def cut_between_blocks(path: Path) -> Path:
    data = bgzip(path).read_bytes()
    with path.open("rb") as file:
        ends = Blocks.walk(str(path), file).in_file
    path.write_bytes(data[: ends[len(ends) // 2]])
    return path


@pytest.mark.parametrize("indexed", [False, True])
def test_a_file_cut_between_blocks_is_said_to_be_so_at_every_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, indexed: bool
) -> None:
    path = cut_between_blocks(tmp_path / "x.fa.gz")
    if indexed:
        pysam.faidx(str(path), catch_stdout=False)
    for _ in range(3):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "janusdna"), Reference.open(path) as reference:
            assert len(reference.lengths) < 4
        expected = f"{path}: the bgzip end marker is missing: the file may have been cut off"
        assert caplog.messages == [expected]


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("first", [b">c\nACGT\n", TEXT])
@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        (
            gzip.compress(b">e\nACGT\n", mtime=0),
            "is bgzip up to byte [0-9,]+ and plain gzip from there.* run: gunzip -c",
        ),
        (b">e\nACGT\n", "byte [0-9,]+: found 3e 65 0a 41, expected a block of bgzip"),
        (bytes(100), "byte [0-9,]+: found 00 00 00 00, expected a block of bgzip"),
        (
            bytes.fromhex("1f8b08040000000000ff060042430200ff00"),
            "byte [0-9,]+: the compressed data ends early",
        ),
    ],
)
def test_what_follows_bgzip_is_no_part_that_goes_missing(
    tmp_path: Path, indexed: bool, first: bytes, rest: bytes, problem: str
) -> None:
    path = bgzip(tmp_path / "x.fa.gz", first)
    data = path.read_bytes() + rest
    path.write_bytes(data)
    if indexed:
        verbosity = pysam.set_verbosity(0)
        try:
            pysam.faidx(str(path), catch_stdout=False)
        except pysam.SamtoolsError:
            pass
        finally:
            pysam.set_verbosity(verbosity)
    for _ in range(2):
        with pytest.raises(InputError, match=rf"x\.fa\.gz: {problem}[^\n]*$"):
            Reference.open(path)


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    status = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns - 10**9, status.st_mtime_ns - 10**9))


def test_damage_with_an_index_costs_what_it_hits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = bgzip(tmp_path / "x.fa.gz")
    pysam.faidx(str(path), catch_stdout=False)
    damage(path)
    for _ in range(2):
        caplog.clear()
        with Reference.open(path) as reference:
            assert reference.fetch("a", 0, 100).decode() == BASES[:100]
            assert reference.fetch("d", 99_900, 100_000).decode() == BASES[399_900:]
            with pytest.raises(
                InputError, match=r"b:0-100000 cannot be read: the compressed data is damaged"
            ):
                reference.fetch("b", 0, 100_000)
        (warning,) = caplog.messages
        assert "the compressed data is damaged" in warning


def test_damage_without_an_index_is_an_error(tmp_path: Path) -> None:
    path = bgzip(tmp_path / "x.fa.gz")
    damage(path)
    with pytest.raises(InputError, match=r"x\.fa\.gz: after line \d+: the compressed data is damaged"):
        Reference.open(path)


@pytest.mark.parametrize("change", ["one block less", "a place moved"])
def test_a_table_of_blocks_that_is_wrong_is_made_again(tmp_path: Path, change: str) -> None:
    path = bgzip(tmp_path / "x.fa.gz")
    pysam.faidx(str(path), catch_stdout=False)
    table = Path(f"{path}.gzi")
    numbers = bytearray(table.read_bytes())
    if change == "one block less":
        numbers = (numbers[0] - 1).to_bytes(8, "little") + numbers[24:]
    else:
        numbers[16] ^= 1
    table.write_bytes(numbers)
    with Reference.open(path) as reference:
        for number, name in enumerate("abcd"):
            bases = BASES[number * 100_000 : (number + 1) * 100_000]
            assert reference.fetch(name, 0, 100_000).decode() == bases


@pytest.mark.parametrize(
    ("line_bases", "line_bytes"), [(1_000_000, 1_000_001), (60, 61), (5_000_000_000, 5_000_000_001)]
)
def test_bases_beyond_32_bits(tmp_path: Path, line_bases: int, line_bytes: int) -> None:
    length = 4_999_999_980
    record = Record("c", length, 3, line_bases, line_bytes)
    path = tmp_path / "x.fa"
    # Holes take no space on the disk.
    tail = "".join(BASES[:1000])
    with path.open("wb") as file:
        file.write(b">c\n")
        for base in range(length - 1000, length):
            line, column = divmod(base, line_bases)
            file.seek(3 + line * line_bytes + column)
            file.write(tail[base - length + 1000].encode())
            if column == line_bases - 1:
                file.write(b"\n" * (line_bytes - line_bases))
    with Reference(str(path), open_bytes(path), {"c": record}) as reference:
        assert reference.lengths == {"c": length}
        for start, end in ((0, 1000), (500, 501), (990, 1000)):
            found = reference.fetch("c", length - 1000 + start, length - 1000 + end)
            assert found.decode() == tail[start:end]


@pytest.mark.parametrize("opened", [Reference.open, with_random_access])
def test_a_pipe_is_refused_at_once(tmp_path: Path, opened: Callable[[str], object]) -> None:
    pipe = tmp_path / "pipe.fa"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match=r"pipe\.fa: is a pipe, expected a regular file"):
        opened(str(pipe))
    with pytest.raises(InputError, match="stdin: is a pipe, expected a regular file"):
        opened("-")
    with pytest.raises(InputError, match="is a directory"):
        opened(str(tmp_path))
