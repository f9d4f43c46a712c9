"""MD5 of contigs taken by a thread, against hashlib over the text that was written."""

import hashlib
import logging
import os
import random
import threading
import time
from pathlib import Path

import pysam
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome import fasta
from janusdna_cli.genome.checksums import Checksums
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.random_access import RandomAccess

CONTIGS = {
    name: "".join(random.Random(name).choices("ACGTNacgtn", k=size))
    for name, size in (("one", 5000), ("two", 1), ("three", 300_000))
}
MD5 = {name: hashlib.md5(bases.upper().encode()).hexdigest() for name, bases in CONTIGS.items()}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "janusdna" / "fasta"


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    path = tmp_path / "x.fa"
    path.write_text("".join(f">{name} words\n{bases}\n" for name, bases in CONTIGS.items()))
    return path


@pytest.fixture
def fetches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The contigs that bases are fetched of, as it happens."""
    seen = []
    bases = Reference._bases

    def noted(self: Reference, file: RandomAccess, contig: str, start: int, end: int) -> bytes:
        seen.append(contig)
        return bases(self, file, contig, start, end)

    monkeypatch.setattr(Reference, "_bases", noted)
    return seen


def damaged(genome: Path) -> Path:
    """The same as bgzip with a block of the last contig that cannot be decompressed."""
    path = genome.with_name("damaged.fa.gz")
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(genome.read_bytes())
    Reference.open(path).close()
    data = bytearray(path.read_bytes())
    status = path.stat()
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return path


def test_each_contig_once_in_the_order_they_were_asked_for(genome: Path, fetches: list[str]) -> None:
    with Reference.open(genome) as reference, Checksums(reference) as checksums:
        for name in ("three", "one", "three", "two", "one"):
            checksums.start(name)
        assert list(checksums.result().items()) == [(name, MD5[name]) for name in ("three", "one", "two")]
    assert sorted(set(fetches)) == sorted(CONTIGS)
    assert "checksums" not in {thread.name for thread in threading.enumerate()}


def test_nothing_was_asked_for(genome: Path) -> None:
    with Reference.open(genome) as reference, Checksums(reference) as checksums:
        assert checksums.result() == {}


def test_another_run_reads_nothing(genome: Path, fetches: list[str]) -> None:
    for expected in (["one"], []):
        fetches.clear()
        with Reference.open(genome) as reference:
            assert reference.md5("one") == MD5["one"]
        assert fetches == expected


def test_another_file_of_that_name_is_read(genome: Path) -> None:
    with Reference.open(genome) as reference:
        reference.md5("two")
    # As long as before: only the time tells.
    text = genome.read_text()
    genome.write_text(text.replace(f"\n{CONTIGS['two']}\n", "\nR\n"))
    os.utime(genome, ns=(1, 1))
    with Reference.open(genome) as reference:
        assert reference.md5("two") == hashlib.md5(b"R").hexdigest()


@pytest.mark.parametrize("content", [b"", b"\0" * 50, f"{'0' * 20}\tone\n".encode(), b"\xff\xfe\tone\n"])
def test_what_is_kept_may_be_damaged(genome: Path, cache: Path, content: bytes) -> None:
    with Reference.open(genome) as reference:
        reference.md5("one")
    (kept,) = cache.glob("*.md5")
    kept.write_bytes(content)
    with Reference.open(genome) as reference:
        assert reference.md5("one") == MD5["one"]


def test_without_a_cache_it_goes_on(genome: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(genome))
    with Reference.open(genome) as reference:
        assert reference.md5("one") == reference.md5("one") == MD5["one"]


def test_damage_costs_one_checksum(genome: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Reference.open(damaged(genome)) as reference:
        with pytest.raises(InputError, match=r"damaged\.fa\.gz: three:\d+-\d+ cannot be read"):
            reference.md5("three")
        with Checksums(reference) as checksums, caplog.at_level(logging.WARNING, "janusdna"):
            for name in CONTIGS:
                checksums.start(name)
            assert checksums.result() == MD5 | {"three": None}
    (warning,) = caplog.messages
    assert "damaged.fa.gz: three:" in warning
    assert warning.endswith("the md5 of three is left out")


def test_a_mistake_of_the_program_is_no_damage(genome: Path) -> None:
    with Reference.open(genome) as reference, Checksums(reference) as checksums:
        checksums.start("four")
        with pytest.raises(KeyError, match="four"):
            checksums.result()


def test_a_run_that_failed_does_not_wait(genome: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go_on = threading.Event(), threading.Event()
    pieces = []

    def slow(self: Reference, file: RandomAccess, contig: str, start: int, end: int) -> bytes:
        pieces.append(start)
        reading.set()
        go_on.wait(60)
        return b"A"

    monkeypatch.setattr(fasta, "_PIECE", 10)
    monkeypatch.setattr(Reference, "_bases", slow)
    with Reference.open(genome) as reference:
        checksums = Checksums(reference)
        checksums.start("three")
        checksums.start("one")
        reading.wait(60)
        closing = threading.Thread(target=checksums.close)
        closing.start()
        while not checksums._closed.is_set():
            time.sleep(0.001)
        go_on.set()
        closing.join(60)
    assert pieces == [0]
    assert "checksums" not in {thread.name for thread in threading.enumerate()}
