"""Plain gzip made bgzip once, against pysam's own reading, samtools and gunzip."""

import gzip
import logging
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pysam
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome import bgzip
from janusdna_cli.genome.bgzip import with_random_access
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.streams import is_bgzf


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "janusdna" / "fasta"


@pytest.fixture
def bases() -> str:
    return "".join(random.Random(0).choices("ACGTNacgt", k=300_000))


@pytest.fixture
def zipped(tmp_path: Path, bases: str) -> Path:
    """Longer than a block of bgzip and than a piece."""
    return write(tmp_path / "x.fa.gz", bases)


def write(path: Path, *contigs: str) -> Path:
    lines = []
    for number, contig in enumerate(contigs):
        lines += [f">c{number}", *(contig[at : at + 60] for at in range(0, len(contig), 60))]
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    return path


def told(caplog: pytest.LogCaptureFixture, path: Path) -> tuple[str, list[str]]:
    caplog.clear()
    with caplog.at_level(logging.INFO, "janusdna"):
        found = with_random_access(str(path))
    return found, [record.getMessage() for record in caplog.records]


def test_gzip_is_converted_once(
    zipped: Path, bases: str, cache: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bgzip, "_PIECE", 10_000)
    before = zipped.read_bytes()
    copy, lines = told(caplog, zipped)
    assert lines == [f"{zipped}: is gzip, which has no random access; converted once to {copy}"]
    assert [str(path) for path in cache.iterdir()] == [copy]
    written = Path(copy).read_bytes()
    assert is_bgzf(written)
    assert gzip.decompress(written) == gzip.decompress(before)
    assert zipped.read_bytes() == before
    changed = Path(copy).stat().st_mtime_ns
    assert told(caplog, zipped) == (copy, [])
    assert Path(copy).stat().st_mtime_ns == changed
    with Reference.open(copy) as reference:
        assert reference.lengths == {"c0": 300_000}
        for start in (0, 59, 131_070, 299_990):
            assert reference.fetch_as_written("c0", start, start + 10).decode() == bases[start : start + 10]


@pytest.mark.skipif(shutil.which("samtools") is None, reason="samtools is not installed")
def test_bases_are_those_of_samtools(tmp_path: Path, zipped: Path, bases: str) -> None:
    write(zipped, bases, bases[::-1])
    plain = tmp_path / "plain.fa"
    plain.write_bytes(gzip.decompress(zipped.read_bytes()))
    with Reference.open(with_random_access(str(zipped))) as reference:
        for contig, start, end in (("c0", 65_000, 66_000), ("c1", 0, 61), ("c1", 299_000, 300_000)):
            command = ["samtools", "faidx", str(plain), f"{contig}:{start + 1}-{end}"]
            text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            expected = "".join(text.splitlines()[1:])
            assert reference.fetch_as_written(contig, start, end).decode() == expected


def test_gzip_of_several_members_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "x.fa.gz"
    path.write_bytes(gzip.compress(b">a\nACGT\n") + gzip.compress(b">b\nGG\n"))
    with Reference.open(with_random_access(str(path))) as reference:
        assert reference.lengths == {"a": 4, "b": 2}


def test_a_changed_file_is_converted_anew(zipped: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = with_random_access(str(zipped))
    write(zipped, "GATTACA")
    second, lines = told(caplog, zipped)
    assert len(lines) == 1
    assert second != first
    with Reference.open(second) as reference:
        assert reference.fetch("c0", 0, 7) == b"GATTACA"
    # As long as before, but touched.
    write(zipped, "GATTTCA")
    os.utime(zipped, ns=(1, 1))
    with Reference.open(with_random_access(str(zipped))) as reference:
        assert reference.fetch("c0", 0, 7) == b"GATTTCA"


@pytest.mark.parametrize("kind", ["plain", "bgzip", "empty"])
def test_other_files_come_back_as_they_are(
    tmp_path: Path, cache: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    # Told by content: the suffix says gzip.
    path = tmp_path / "x.fa.gz"
    if kind == "bgzip":
        with pysam.BGZFile(str(path), "wb") as file:
            file.write(b">a\nACGT\n")
    else:
        path.write_bytes(b">a\nACGT\n" if kind == "plain" else b"")
    assert told(caplog, path) == (str(path), [])
    assert not cache.exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.fa: no such file; check the path"):
        with_random_access(str(tmp_path / "x.fa"))


@pytest.mark.parametrize("keep", [0.5, 0.999])
def test_a_cut_off_file_leaves_nothing_behind(zipped: Path, cache: Path, keep: float) -> None:
    data = zipped.read_bytes()
    zipped.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputError) as caught:
        with_random_access(str(zipped))
    told = "the compressed data ends early; the file is cut off, copy it again"
    assert str(caught.value) == f"{zipped}: {told}"
    assert list(cache.iterdir()) == []


def test_a_damaged_file_leaves_nothing_behind(zipped: Path, cache: Path) -> None:
    data = bytearray(zipped.read_bytes())
    data[-6] ^= 1  # of the checksum
    zipped.write_bytes(data)
    with pytest.raises(
        InputError, match=r"x\.fa\.gz: the compressed data is damaged .*; copy the file again"
    ):
        with_random_access(str(zipped))
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written(
    tmp_path: Path, zipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "a file"
    place.write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError) as caught:
        with_random_access(str(zipped))
    message = str(caught.value)
    assert message.startswith(f"{zipped}: its bgzip copy {place}/janusdna/fasta/x.fa.gz.")
    assert "cannot be written (" in message
    assert message.endswith(
        f"; set XDG_CACHE_HOME to a folder with room for it, or run: gunzip -c {zipped} | bgzip > x.fa.bgz"
    )
    assert sorted(tmp_path.iterdir()) == before


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from janusdna_cli.errors import InputError
from janusdna_cli.genome.bgzip import with_random_access
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with_random_access(sys.argv[1])
except InputError as error:
    print(error)
"""


def test_a_full_disk_is_one_line_and_leaves_nothing_behind(zipped: Path, cache: Path) -> None:
    run = subprocess.run([sys.executable, "-c", FULL, str(zipped)], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith(f"{zipped}: its bgzip copy {cache}/x.fa.gz.")
    assert run.stdout.count("\n") == 1
    assert list(cache.iterdir()) == []


def test_an_interruption_leaves_nothing_behind(
    zipped: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: object, size: int) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(bgzip.InputStream, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        with_random_access(str(zipped))
    assert list(cache.iterdir()) == []
