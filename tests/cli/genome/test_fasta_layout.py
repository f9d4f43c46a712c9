"""Odd writings of a FASTA: the bases of a plain reading of its lines, as htslib finds them, or refused."""

import logging
import random
import re
from pathlib import Path

import pyfaidx
import pysam
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference

BASES = "".join(random.Random(8).choices("ACGTacgtN", k=230))
LINES = [BASES[at : at + 60] for at in range(0, 230, 60)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def fasta(*ends: str) -> bytes:
    """A record whose lines end so, and one that is clean."""
    lines = "".join(line + end for line, end in zip(LINES, ends, strict=True))
    return f">c words\n{lines}>d\nGATTACA\n".encode()


def save(folder: Path, data: bytes, bgzip: bool = False) -> Path:
    path = folder / "x.fa"
    if bgzip:
        with pysam.BGZFile(str(path), "wb") as file:
            file.write(data)
    else:
        path.write_bytes(data)
    return path


def index_by(program: str, path: Path) -> None:
    """Make the index that another program makes of a file, if it makes one."""
    if program == "samtools":
        verbosity = pysam.set_verbosity(0)
        try:
            pysam.faidx(str(path), catch_stdout=False)
        except pysam.SamtoolsError:
            pass
        finally:
            pysam.set_verbosity(verbosity)
    if program == "pyfaidx":
        try:
            pyfaidx.Faidx(str(path)).close()
        except (pyfaidx.FastaIndexingError, IndexError):
            Path(f"{path}.fai").unlink(missing_ok=True)


def check_reading(path: Path, expected: dict[str, str]) -> None:
    """All of each contig, and parts of it, by the reader and by htslib with the reader's index."""
    with Reference.open(path) as reference, pysam.FastaFile(str(path)) as htslib:
        assert reference.lengths == {name: len(bases) for name, bases in expected.items()}
        for name, bases in expected.items():
            for start, end in ((0, len(bases)), (58, 62), (60, 120), (61, 150), (len(bases) - 3, len(bases))):
                stop = min(end, len(bases))
                at = max(0, min(start, stop))
                assert reference.fetch_as_written(name, at, stop).decode() == bases[at:stop]
                assert htslib.fetch(name, at, stop) == bases[at:stop]


# pyfaidx reads bgzip with Biopython only.
INDEXED = pytest.mark.parametrize(
    ("program", "bgzip"),
    [("none", False), ("none", True), ("samtools", False), ("samtools", True), ("pyfaidx", False)],
)


@pytest.mark.parametrize(
    "ends",
    [
        ("\n",) * 4,
        ("\r\n",) * 4,
        (" \n",) * 4,
        ("\t\n",) * 4,
        (" \r\n",) * 4,
        ("\n", "\n", "\n", "  \n"),
        ("\r\n", "\r\n", "\r\n", "\n"),
        ("\n", "\n", "\n", "\r\n"),
        ("\n", "\n", "\n", "\n   \n\t\n"),
    ],
)
@INDEXED
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_white_space_at_line_ends_is_no_base(
    tmp_path: Path, ends: tuple[str, ...], program: str, bgzip: bool
) -> None:
    path = save(tmp_path, fasta(*ends), bgzip)
    index_by(program, path)
    for _ in range(2):
        check_reading(path, {"c": BASES, "d": "GATTACA"})


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (fasta("\n", " \n", "\n", "\n"), r"line 3: ends in ' \\n', the first line of record 'c' in '\\n'"),
        (fasta(" \n", "\n", "\n", "\n"), r"line 3: ends in '\\n', the first line of record 'c' in ' \\n'"),
        (fasta("\r\n", "\r\n", "\n", "\n"), r"line 4: ends in '\\n', the first line .* in '\\r\\n'"),
        (fasta("\n", "\n", "\r\n", "\n"), r"line 4: ends in '\\r\\n', the first line .* in '\\n'"),
        (fasta("\r", "\r", "\r", "\n"), r"line 2: found carriage returns \(\\r\) alone"),
        (fasta("\n", "\r", "\n", "\n"), r"line 3: found carriage returns \(\\r\) alone"),
        (b">c1 first\rACGT\rAC\r>c2\rAC\r", r"line 1: found carriage returns \(\\r\) alone"),
        (b">c\n ACGT\n ACGT\n", "line 2: white space within the sequence of record 'c'"),
        (b">c\nACGT ACGT\nACGT ACGT\n", "line 2: white space within the sequence of record 'c'"),
        (b">c\nACGTA\nACG A\nACGTA\n", "line 3: white space within the sequence of record 'c'"),
        (b">c\nACGTA\nACGT \nACGTA\nAC\n", "line 4: a line of 5 bases follows the end of record 'c'"),
        (b">c\nACGTA\n    \nACGTA\nAC\n", "line 4: a line of 5 bases follows the end of record 'c'"),
        (b">c\nACGT\n\n>c2\nAC\n >c3\nACG\n", "line 6: white space within the sequence of record 'c2'"),
    ],
)
@INDEXED
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_programs_read_differently_is_refused_at_every_run(
    tmp_path: Path, data: bytes, problem: str, program: str, bgzip: bool
) -> None:
    path = save(tmp_path, data, bgzip)
    index_by(program, path)
    for _ in range(2):
        with pytest.raises(InputError, match=rf"x\.fa: {problem}[^\n]*$"):
            Reference.open(path)


@pytest.mark.parametrize("seed", range(20))
def test_random_writings_are_read_as_they_are_or_refused(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    refused = []
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        end = rng.choice(["\n", "\r\n", " \n"])
        width = rng.randrange(1, 9)
        data, expected = "", {}
        for name in "ab":
            bases = "".join(rng.choices("ACGT", k=rng.randrange(1, 30)))
            lines = [bases[at : at + width] + end for at in range(0, len(bases), width)]
            if rng.random() < 0.4:
                lines.insert(rng.randrange(len(lines) + 1), rng.choice(["\n", " \n", "\r\n", "A\n", "A C\n"]))
            if rng.random() < 0.2:
                at = rng.randrange(len(lines))
                lines[at] = lines[at].rstrip() + rng.choice(["\n", "\r\n", "\r", "\t\n"])
            text = "".join(lines)
            expected[name] = "".join(text.split())
            data += f">{name}\n{text}" if text.endswith("\n") else f">{name}\n{text}\n"
        path = save(folder, data.encode(), bgzip=rng.random() < 0.3)
        index_by(rng.choice(["none", "samtools"]), path)
        try:
            Reference.open(path).close()
        except InputError as error:
            refused.append(str(error))
        else:
            check_reading(path, expected)
    assert len(refused) < 20
    assert all(re.search(r"x\.fa: line \d+: ", message) for message in refused)


def test_a_byte_order_mark_and_names_that_are_not_ascii(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf>chr1\nACGT\nAC\n>\xe9chantillon\nGATT\n>\xc3\xa9t\xc3\xa9 words\xa0more\nTTT\n"
    path = save(tmp_path, data)
    for _ in range(2):
        with Reference.open(path) as reference:
            assert reference.lengths == {"chr1": 6, "échantillon": 4, "été": 3}
            assert reference.fetch("chr1", 0, 6) == b"ACGTAC"
            assert reference.fetch("échantillon", 0, 4) == b"GATT"
            assert reference.fetch("été", 0, 3) == b"TTT"


def test_two_spellings_of_one_name_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path, b">\xe9\nAC\n>\xc3\xa9\nAC\n")
    with pytest.raises(InputError, match="line 3: a second record named 'é'"):
        Reference.open(path)


@pytest.mark.parametrize("writable", [True, False])
def test_an_index_of_another_program_is_checked_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    path = save(tmp_path, fasta(*["\n"] * 4))
    if not writable:
        monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    index_by("samtools", path)
    index = Path(f"{path}.fai")
    before = index.stat().st_mtime_ns
    calls = []
    monkeypatch.setattr("janusdna_cli.genome.fasta_index.describes", lambda *_: calls.append(1) or True)
    for _ in range(3):
        Reference.open(path).close()
    assert len(calls) == 1
    # Another index of the same file is another matter, and so is another state of the file.
    index.write_text(index.read_text() + "e\t0\t0\t0\t0\n")
    Reference.open(path).close()
    assert len(calls) == 2
    assert index.stat().st_mtime_ns != before
    assert caplog.messages == []


@pytest.mark.parametrize(
    "index",
    [
        "c\t230\t10\t60\t61\nd\t7\t246\t7\t8\n",
        "c\t230\t9\t60\t61\nd\t7\t245\t7\t8\n",
        "c\t231\t9\t60\t61\nd\t7\t246\t7\t8\n",
        "c\t229\t9\t60\t61\nd\t7\t246\t7\t8\n",
        "c\t230\t9\t59\t61\nd\t7\t246\t7\t8\n",
        "c\t230\t9\t61\t61\nd\t7\t246\t7\t8\n",
        "c\t230\t9\t60\t61\nd\t7\t246\t7\t8\nc\t230\t9\t60\t61\n",
        "c\t230\t9\t60\t61\nd\t7\t246\t7\n",
        "c\t-1\t9\t60\t61\n",
        "c\t230\t99999999999999999999999\t60\t61\n",
    ],
)
def test_an_index_that_is_off_by_one_is_made_again(
    tmp_path: Path, index: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = save(tmp_path, fasta(*["\n"] * 4))
    Path(f"{path}.fai").write_text(index)
    with caplog.at_level(logging.WARNING, "janusdna"):
        check_reading(path, {"c": BASES, "d": "GATTACA"})
    assert "x.fa.fai is older or does not fit; indexing again" in caplog.text
    pysam.faidx(str(path), "--fai-idx", f"{path}.other", catch_stdout=False)
    assert Path(f"{path}.fai").read_text() == Path(f"{path}.other").read_text()


def test_lines_that_moved_since_are_no_bases(tmp_path: Path) -> None:
    path = save(tmp_path, fasta(*["\n"] * 4))
    with Reference.open(path) as reference:
        moved = bytearray(path.read_bytes())
        moved[40], moved[69] = moved[69], moved[40]
        with path.open("r+b") as file:
            file.write(moved)
        assert reference.fetch("c", 70, 100).decode() == BASES[70:100].upper()
        for start, end in ((0, 60), (58, 62), (59, 61)):
            with pytest.raises(InputError, match=rf"c:{start}-{end} cannot be read: its lines are not as"):
                reference.fetch("c", start, end)
