"""A run that is cut off and goes on writes what one writes that never was."""

import gzip
import json
import os
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.outputs.parquet import ParquetSink
from janusdna_cli.outputs.tsv import TsvSink
from janusdna_cli.runs import journal as journal_module
from janusdna_cli.runs.journal import Journal, read_journal
from janusdna_cli.runtime.signals import Terminated

from .conftest import CASES, run_to_end

CENTERED, TILED, MEAN = (
    next(case for case in CASES if case.name == name) for name in ("centered", "tiled", "mean")
)
GO_ON = "what is done is kept in out.parquet.parts: go on with --resume"

pytestmark = pytest.mark.usefixtures("small")


def entries(output="out.parquet"):
    """The entries of the run that is unfinished."""
    found = sorted(Path(f"{output}.parts").glob("*.journal"))
    return [entry for path in found for entry, _ in read_journal(path)]


def leftovers(work, output="out.parquet"):
    """What is in the folder that belongs to the output."""
    return sorted(each.name for each in work.folder.iterdir() if output in each.name)


def interrupted(work, answers, words, at, output="out.parquet"):
    """Stop at the `at`-th reading."""
    answers.reset(stop_at=at)
    result = work.run(*words, "-o", output)
    answers.stop_at = None
    return result


def test_interrupted_anywhere_it_goes_on_to_the_same_bytes(work, case, whole, answers):
    words, expected = case.words(work), whole(case)
    for at in sorted({1, expected.readings // 2, expected.readings - 1}):
        result = interrupted(work, answers, words, at)
        done = entries()
        assert (result.exit_code, result.stdout) == (130, "")
        if done:
            assert result.stderr.splitlines()[-1] == f"janusdna: interrupted; {GO_ON}"
            assert leftovers(work) == ["out.parquet.parts"]
        else:
            assert result.stderr.splitlines()[-1] == "janusdna: interrupted"
            assert leftovers(work) == []
        answers.reset()
        assert run_to_end(work, [*words, "--resume"]) == expected.data
        assert answers.windows + sum(entry.windows for entry in done) == expected.windows  # none twice
        Path("out.parquet").unlink()


def test_interrupted_before_anything_is_done_nothing_is_left(work, answers):
    for words in (CENTERED.words(work), TILED.words(work), MEAN.words(work)):
        result = interrupted(work, answers, words, 0)
        assert (result.exit_code, result.stderr) == (130, "janusdna: interrupted\n")
        assert leftovers(work) == []


@pytest.mark.parametrize("case", [CENTERED, TILED, MEAN], ids=lambda case: case.name)
def test_interrupted_again_and_again_it_ends(work, case, whole, answers):
    words, expected, ends = case.words(work), whole(case).data, []
    resume: list[str] = []
    for _ in range(100):
        result = interrupted(work, answers, [*words, *resume], 9)
        resume = ["--resume"]
        ends.append(result.exit_code)
        if result.exit_code == 0:
            break
        units = [unit for entry in entries() for unit in entry.units]
        assert len(units) == len(set(units))
    assert ends[:-1] == [130] * (len(ends) - 1)
    assert ends[-1] == 0
    assert Path("out.parquet").read_bytes() == expected
    assert leftovers(work) == ["out.parquet"]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt, 130, "janusdna: interrupted"),
        (lambda: Terminated(signal.SIGTERM), 143, "janusdna: terminated"),
        (lambda: Terminated(signal.SIGHUP), 129, "janusdna: hung up"),
        (lambda: InputError("g.fa: gone"), 1, "janusdna: error: g.fa: gone"),
        (MemoryError, 1, "janusdna: error: out of memory; pass a smaller --batch-bp or --window, or"),
        (lambda: ValueError("oops"), 1, "janusdna: error: this is a bug in janusdna: ValueError: oops; run"),
    ],
)
def test_whatever_ends_it_the_last_line_says_how_to_go_on(work, answers, whole, error, code, said):
    words = MEAN.words(work)
    answers.error = error
    result = interrupted(work, answers, words, 3)
    assert (result.exit_code, len(result.stderr.splitlines())) == (code, 1)
    assert result.stderr.startswith(said)
    assert result.stderr.endswith(f"; {GO_ON}\n")
    assert run_to_end(work, [*words, "--resume"]) == whole(MEAN).data


@pytest.mark.parametrize(
    ("output", "sink"), [("out.parquet", ParquetSink), ("out.tsv", TsvSink), ("out.tsv.gz", TsvSink)]
)
@pytest.mark.parametrize("method", ["write", "close"])
def test_interrupted_while_it_writes_it_has_nothing_left_to_read(
    work, answers, monkeypatch, output, sink, method
):
    words = MEAN.words(work)
    with monkeypatch.context() as patch:
        patch.setattr(sink, method, lambda *arguments: signal.raise_signal(signal.SIGINT))
        result = work.run(*words, "-o", output)
    assert (result.exit_code, result.stderr) == (
        130,
        f"janusdna: interrupted; what is done is kept in {output}.parts: go on with --resume\n",
    )
    assert leftovers(work, output) == [f"{output}.parts"]
    assert sorted(path.suffix for path in Path(f"{output}.parts").iterdir()) == ["", ".journal", ".json"]
    answers.reset()
    found = run_to_end(work, [*words, "--resume"], output)
    assert answers.calls == 0
    assert found == run_to_end(work, words, f"again.{output}")
    if output.endswith(".gz"):
        assert gzip.decompress(found).count(b"\n") == 23


def test_killed_between_its_end_and_the_clearing_away(work, monkeypatch, whole, answers):
    """The output has its name, and what is done is still there."""
    words = MEAN.words(work)
    interrupted(work, answers, words, 3)
    Path("out.parquet.parts").rename("kept")
    assert run_to_end(work, words) == whole(MEAN).data
    Path("kept").rename("out.parquet.parts")
    assert run_to_end(work, [*words, "--resume"]) == whole(MEAN).data
    # Its facts are gone already.
    Path("out.parquet.parts").mkdir()
    Path("out.parquet.parts/lock").touch()
    Path("out.parquet.parts/0.journal").touch()
    assert run_to_end(work, [*words, "--resume"]) == whole(MEAN).data


def test_the_last_entry_damaged_is_done_again(work, answers, whole):
    words = TILED.words(work)
    interrupted(work, answers, words, whole(TILED).readings - 1)
    [path] = Path("out.parquet.parts").glob("*.journal")
    before = len(entries())
    path.write_bytes(path.read_bytes()[:-100])
    assert len(entries()) == before - 1
    assert run_to_end(work, [*words, "--resume"]) == whole(TILED).data


def test_a_finished_output_is_left_as_it_is(work, answers, whole):
    words = MEAN.words(work)
    assert run_to_end(work, [*words, "--resume"]) == whole(MEAN).data
    os.utime("out.parquet", ns=(1, 1))
    answers.reset(stop_at=0)
    result = work.run(*words, "-o", "out.parquet", "--resume")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "janusdna: out.parquet: is complete; nothing is left to do\n"
    assert Path("out.parquet").stat().st_mtime_ns == 1
    assert leftovers(work) == ["out.parquet"]


def test_a_finished_output_of_another_run_is_an_error(work, whole):
    words = MEAN.words(work)
    run_to_end(work, words)
    result = work.run(*words, "-o", "out.parquet", "--resume", "--window", 32)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert result.stderr == (
        "janusdna: error: out.parquet: is complete, and was started with --window 64, and not 32; "
        "pass --overwrite to replace it\n"
    )
    Path("out.parquet").rename("out.tsv")
    result = work.run(*words, "-o", "out.tsv", "--resume")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "out.tsv: exists, and does not say what it was started with; pass --overwrite" in result.stderr
    assert Path("out.tsv").read_bytes() == whole(MEAN).data


def test_an_existing_output_is_an_error_without_either(work):
    words = MEAN.words(work)
    run_to_end(work, words)
    result = work.run(*words, "-o", "out.parquet")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "out.parquet: exists; pass --overwrite to replace it" in result.stderr
    assert leftovers(work) == ["out.parquet"]


def test_what_something_else_makes_meanwhile_is_left_as_it_is(work, answers, monkeypatch):
    words, write = MEAN.words(work), ParquetSink.write

    def meanwhile(sink, table):
        Path("out.parquet").write_text("precious")
        write(sink, table)

    monkeypatch.setattr(ParquetSink, "write", meanwhile)
    result = work.run(*words, "-o", "out.parquet")
    assert result.exit_code == 1
    assert "out.parquet: something else made it meanwhile, and it is left as it is" in result.stderr
    assert Path("out.parquet").read_text() == "precious"


def test_overwrite_starts_anew(work, answers, whole):
    words = MEAN.words(work)
    interrupted(work, answers, [*words, "--window", 32], 3)
    result = work.run(*words, "-o", "out.parquet")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert result.stderr == (
        "janusdna: error: out.parquet.parts: an unfinished run is there; "
        "pass --resume to go on with it, or --overwrite to start anew\n"
    )
    assert run_to_end(work, [*words, "--overwrite"]) == whole(MEAN).data


def test_an_interrupted_replacement_leaves_the_old_output_until_it_is_whole(work, answers, whole):
    words = MEAN.words(work)
    old = run_to_end(work, [*words, "--window", 32])
    interrupted(work, answers, [*words, "--overwrite"], 3)
    assert Path("out.parquet").read_bytes() == old
    assert leftovers(work) == ["out.parquet", "out.parquet.parts"]
    assert run_to_end(work, [*words, "--resume"]) == whole(MEAN).data


@pytest.mark.parametrize("words", [("--overwrite", "--resume")])
def test_overwrite_and_resume_are_no_pair(work, words):
    result = work.run(*MEAN.words(work), *words, "-o", "out.parquet")
    assert result.exit_code == 2
    assert "pass one of them" in result.stderr


@pytest.mark.parametrize(
    ("words", "name", "streamed"),
    [
        (("score-variants", "-"), "out.parquet", "standard input can be neither resumed nor shared out"),
        (("embed", "genome.fa", "-"), "out.parquet", "standard input can be neither resumed nor shared out"),
        (("embed", "genome.fa", "regions.bed"), "-", "standard output can be neither resumed nor shared out"),
        (
            ("embed", "genome.fa", "regions.bed", "--format", "tsv"),
            "/dev/null",
            "the pipe /dev/null can be neither resumed nor shared out",
        ),
    ],
)
def test_a_stream_cannot_be_resumed(work, words, name, streamed):
    MEAN.words(work)
    result = work.run(*words, "-o", name, "--resume", "-m", work.model, stdin=b"")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert result.stderr == (f"janusdna: error: --resume: {streamed}; name files to read and to write\n")


class Changed:
    """Something that is not what it was when the run was started."""

    def __init__(self, work, words, other_model):
        self.words = list(words)
        self.work, self.other_model = work, other_model

    def option(self, *words):
        self.words += words

    def input(self):
        path = Path("variants.vcf")
        path.write_text(path.read_text() + "one\t7\t.\tN\t<DEL>\t.\t.\t.\n")

    def renamed_input(self):
        Path("variants.vcf").rename("other.vcf")
        self.words[1] = "other.vcf"

    def bases(self):
        """Of the reference, of which no length changes."""
        path = Path("genome.fa")
        text = path.read_text()
        at = text.index("\n") + 30
        path.write_text(text[:at] + ("A" if text[at] != "A" else "C") + text[at + 1 :])

    def lengths(self):
        path = Path("genome.fa")
        path.write_text(path.read_text() + "ACGT\n")

    def model(self):
        self.words += ["-m", self.other_model]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (Changed.input, "input size "),
        (Changed.renamed_input, "input name variants.vcf, and not other.vcf"),
        (Changed.bases, "md5 of one "),
        (Changed.lengths, "reference contigs "),
        (Changed.model, "model "),
        (lambda it: it.option("--window", 32), "--window 64, and not 32"),
        (lambda it: it.option("--no-rc"), "--rc True, and not False"),
        (lambda it: it.option("--scores", "llr"), "--scores default, and not ['llr']"),
        (lambda it: it.option("--span", 7), "--span 128, and not 7"),
        (lambda it: it.option("--context", "tiled"), "--context centered, and not tiled"),
        (lambda it: it.option("--batch-bp", 64), "--batch-bp none, and not 64"),
        (lambda it: it.option("--kernels", "reference"), "kernels scan numba, and not reference"),
    ],
)
def test_what_is_not_as_it_was_is_named(work, answers, no_attention_dir, change, named):
    words = CENTERED.words(work)
    words[1] = Path(words[1]).name
    interrupted(work, answers, words, 4)
    before = entries()
    changed = Changed(work, words, no_attention_dir)
    change(changed)
    result = work.run(*changed.words, "-o", "out.parquet", "--resume")
    assert (result.exit_code, result.stdout) == (1, "")
    said = result.stderr.splitlines()[-1]  # before it may be one that the FASTA is indexed again
    assert said.startswith("janusdna: error: out.parquet.parts: was started with ")
    assert named in said
    assert "; pass the same again, or --overwrite to start anew" in said
    assert entries() == before


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--pool", "max"), "--pool mean, and not max"),
        (("--strand-aware", "--no-rc"), "--strand-aware False, and not True"),
        (("--keep-columns",), "--keep-columns False, and not True"),
    ],
)
def test_what_is_not_as_it_was_of_regions_is_named(work, answers, more, named):
    words = [word for word in MEAN.words(work) if word != "--keep-columns"]
    interrupted(work, answers, words, 3)
    result = work.run(*words, *more, "-o", "out.parquet", "--resume")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert named in result.stderr


def test_what_changes_no_number_may_change(work, answers, whole):
    """Threads, what is said, and where it stands."""
    words = MEAN.words(work)
    interrupted(work, answers, words, 3)
    work.folder.joinpath("deeper").mkdir()
    for name in ("genome.fa", "regions.bed"):
        Path(name).rename(f"deeper/{name}")
    Path("genome.fa.fai").unlink(missing_ok=True)
    words = [
        str(word).replace("genome.fa", "deeper/genome.fa").replace("regions.bed", "deeper/regions.bed")
        for word in words
    ]
    assert run_to_end(work, [*words, "--resume", "--threads", 1, "--quiet"]) == whole(MEAN).data


def test_a_name_that_is_no_text_is_the_same_name(work, answers):
    """It is told in UTF-8 by what is written, and compared by it."""
    words = MEAN.words(work)
    odd = os.fsdecode(b"caf\xe9.bed")
    Path("regions.bed").rename(odd)
    words[2] = odd
    interrupted(work, answers, words, 3)
    run_to_end(work, [*words, "--resume"])
    assert work.run(*words, "-o", "out.parquet", "--resume").exit_code == 0
    found = json.loads(pq.read_metadata("out.parquet").metadata[b"janusdna"])
    assert found["run"]["input"]["name"] == "caf\ufffd.bed"


def test_the_table_says_what_its_run_was_started_with(work, answers, whole):
    words = TILED.words(work)
    interrupted(work, answers, words, 3)
    kept = json.loads(Path("out.parquet.parts/run.json").read_bytes())
    run_to_end(work, [*words, "--resume"])
    found = json.loads(pq.read_metadata("out.parquet").metadata[b"janusdna"])
    assert found["run"] == kept["identity"]
    assert found["command"] == kept["command"]


def test_a_full_disk_while_entries_are_kept(work, answers, monkeypatch, whole):
    words, write, room = MEAN.words(work), journal_module._write_all, 15_000

    def full(file, data):
        nonlocal room
        room -= len(memoryview(data))
        if room < 0:
            file.write(bytes(memoryview(data))[: len(memoryview(data)) // 2])
            raise OSError(28, "No space left on device")
        write(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "_write_all", full)
        result = work.run(*words, "-o", "out.parquet")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    [path] = Path("out.parquet.parts").glob("*.journal")
    full_disk = f"{path}: cannot be written: No space left on device; make room or choose another output"
    assert result.stderr == f"janusdna: error: {full_disk}; {GO_ON}\n"
    assert 2 <= len(entries()) < 20
    assert run_to_end(work, [*words, "--resume"]) == whole(MEAN).data


def test_a_full_disk_at_the_first_entry_leaves_nothing(work, monkeypatch):
    def full(file, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal_module, "_write_all", full)
    result = work.run(*MEAN.words(work), "-o", "out.parquet")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert result.stderr.endswith("No space left on device; make room or choose another output\n")
    assert leftovers(work) == []


def test_a_full_disk_while_the_output_is_written(work, answers, monkeypatch, whole):
    def full(sink, metadata):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ParquetSink, "close", full)
        result = work.run(*MEAN.words(work), "-o", "out.parquet")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "out.parquet: cannot be written: No space left on device" in result.stderr
    assert result.stderr.endswith(f"{GO_ON}\n")
    assert leftovers(work) == ["out.parquet.parts"]
    answers.reset()
    assert run_to_end(work, [*MEAN.words(work), "--resume"]) == whole(MEAN).data
    assert answers.calls == 0


def test_a_broken_line_leaves_nothing(work, answers):
    words = MEAN.words(work)
    Path("regions.bed").write_text(Path("regions.bed").read_text() + "one\t5\t3\n")
    result = work.run(*words, "-o", "out.parquet")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "end 3 lies before start 5" in result.stderr
    assert (answers.calls, leftovers(work)) == (0, [])


def test_an_empty_input_is_an_empty_table(work):
    """Nothing is to be kept, shared out or resumed of it."""
    fasta, bed, vcf = work.fasta(one="ACGT" * 30), work.bed(), work.vcf()
    for words in (["embed", fasta, bed], ["score-variants", vcf, "-f", fasta]):
        assert work.run(*words, "-m", work.model, "-o", "out.parquet", "--resume").exit_code == 0
        assert pq.read_table("out.parquet").num_rows == 0
        assert leftovers(work) == ["out.parquet"]
        Path("out.parquet").unlink()


def test_journals_of_several_processes_are_put_together(work, answers, whole):
    """Each that went on with the run left its own."""
    words = MEAN.words(work)
    for number in (1, 2):
        result = interrupted(work, answers, [*words, "--resume"], 2)
        assert result.exit_code == 130
        assert len(list(Path("out.parquet.parts").glob("*.journal"))) == number
    assert run_to_end(work, [*words, "--resume"]) == whole(MEAN).data


def test_each_unit_is_kept_once_and_in_order(work, monkeypatch):
    added, add = [], Journal.add
    monkeypatch.setattr(
        Journal, "add", lambda it, entry, rows: added.append(entry.units) or add(it, entry, rows)
    )
    run_to_end(work, MEAN.words(work))
    units = [unit for entry in added for unit in entry]
    assert units == list(range(len(units)))
