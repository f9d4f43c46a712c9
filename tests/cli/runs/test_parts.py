"""Shards of a run, merged, are the run: row for row, byte for byte; what is no whole run is refused."""

import itertools
import json
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from janusdna_cli.merging import merge_parts
from janusdna_cli.outputs import parquet
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.tables import open_table
from janusdna_cli.runs.parts import PartRows
from janusdna_cli.runs.rows import NUMBER, in_order
from janusdna_cli.runs.shards import Shard

from .conftest import CASES, run_to_end

TILED, SHUFFLED, MEAN = (
    next(case for case in CASES if case.name == name) for name in ("tiled", "tiled-shuffled", "mean")
)

pytestmark = pytest.mark.usefixtures("small")


def shard(work, words, index, count, folder="parts", more=()):
    """Do a part."""
    result = work.run(*words, "--shard", f"{index}/{count}", "-o", folder, *more)
    assert result.exit_code == 0, result.output
    return Path(folder) / Shard(index, count).file_name


def shards(work, words, count, folder="parts"):
    """Do all parts, in no order."""
    order = random.Random(count).sample(range(1, count + 1), count)
    paths = {index: shard(work, words, index, count, folder) for index in order}
    return [paths[index] for index in range(1, count + 1)]


def metadata(path):
    return json.loads(pq.read_metadata(path).metadata[b"janusdna"])


def numbers(path):
    return pq.read_table(path, columns=[NUMBER])[NUMBER].to_pylist()


def one_line(result, *parts):
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1), result.output
    assert result.stderr.startswith("janusdna: error: ")
    assert "bug" not in result.stderr
    for part in parts:
        assert part in result.stderr


def check_shards(work, answers, words, count, whole):
    answers.reset()
    paths = shards(work, words, count)
    assert answers.windows == whole.windows  # none is read twice, none is left out
    assert sorted(Path("parts").iterdir()) == paths
    found = [numbers(path) for path in paths]
    assert all(each == sorted(each) for each in found)
    assert run_to_end(work, ["merge", "parts"]) == whole.data
    assert sorted(itertools.chain(*found)) == list(range(pq.read_metadata("out.parquet").num_rows))


@pytest.mark.parametrize("count", [2, 7])
def test_shards_merged_are_one_run(work, case, whole, answers, count):
    check_shards(work, answers, case.words(work), count, whole(case))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("case", [SHUFFLED, MEAN], ids=lambda case: case.name)
def test_any_number_of_shards_merged_is_one_run(work, case, whole, answers, count):
    check_shards(work, answers, case.words(work), count, whole(case))


def test_shards_of_a_shuffled_input_read_no_tile_twice(work, answers):
    """Their rows lie among each other in the input."""
    paths = shards(work, SHUFFLED.words(work), 3)
    tiles = [pq.read_table(path).to_pandas().dropna(subset=["window_start"]) for path in paths]
    keys = [set(zip(table["chrom"], table["window_start"], strict=True)) for table in tiles]
    assert not any(keys[i] & keys[j] for i, j in ((0, 1), (0, 2), (1, 2)))
    first, last = ([min(found), max(found)] for found in map(numbers, paths[:2]))
    assert first[0] < last[1]
    assert last[0] < first[1]


def test_a_part_says_which_it_is(work, whole):
    words = TILED.words(work)
    path = shard(work, words, 2, 3)
    run_to_end(work, words)
    one, found = metadata("out.parquet"), metadata(path)
    assert found.pop("part") == {
        "index": 2,
        "count": 3,
        "rows": pq.read_metadata("out.parquet").num_rows,
        "source": str((work.folder / "variants.vcf").resolve()),
        "reference": str((work.folder / "genome.fa").resolve()),
    }
    assert found.pop("contig_md5").items() <= one.pop("contig_md5").items()
    assert found == one
    schema = pq.read_schema(path)
    assert (schema.names[0], schema.field(0).type, schema.field(0).nullable) == (NUMBER, pa.int64(), False)
    assert schema.names[1:] == pq.read_schema("out.parquet").names


def test_more_shards_than_work(work, whole):
    words, count = MEAN.words(work), 12
    paths = shards(work, words, count)
    empty = [path for path in paths if pq.read_metadata(path).num_rows == 0]
    assert 0 < len(empty) < 12
    assert run_to_end(work, ["merge", "parts"]) == whole(MEAN).data


def test_an_empty_input_in_shards(work):
    words = ["embed", work.fasta(one="ACGT" * 30), work.bed(), "-m", work.model]
    shards(work, words, 2)
    assert run_to_end(work, ["merge", "parts"]) == run_to_end(work, words, "one.parquet")


def test_a_shard_is_interrupted_and_goes_on(work, answers):
    words = MEAN.words(work)
    expected = shard(work, words, 1, 2, "undisturbed").read_bytes()
    answers.reset(stop_at=3)
    result = work.run(*words, "--shard", "1/2", "-o", "parts")
    name = "parts/part-1-of-2.parquet"
    assert result.exit_code == 130
    assert result.stderr.endswith(f"; what is done is kept in {name}.parts: go on with --resume\n")
    assert [path.name for path in Path("parts").iterdir()] == ["part-1-of-2.parquet.parts"]
    one_line(
        work.run("merge", "parts", "-o", "x.parquet"),
        f"{name}.parts: an unfinished run; finish it with --resume",
    )
    one_line(work.run("merge", f"{name}.parts", "-o", "x.parquet"), f"{name}.parts: an unfinished run")
    answers.reset()
    assert shard(work, words, 1, 2, more=["--resume"]).read_bytes() == expected
    answers.reset(stop_at=0)
    result = work.run(*words, "--shard", "1/2", "-o", "parts", "--resume")
    assert (result.exit_code, result.stderr) == (0, f"janusdna: {name}: is complete; nothing is left to do\n")


def test_a_shard_that_is_there_is_not_replaced(work):
    words = MEAN.words(work)
    path = shard(work, words, 1, 2)
    before = path.read_bytes()
    one_line(work.run(*words, "--shard", "1/2", "-o", "parts"), f"{path}: exists; pass --overwrite")
    assert shard(work, words, 1, 2, more=["--overwrite"]).read_bytes() == before


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "--shard: found no output, expected -o with a folder for the parts"),
        (("-o", "-"), "--shard: found -, expected -o with a folder for the parts"),
        (("-o", "genome.fa"), "--shard: found genome.fa, expected -o with a folder"),
        (("-o", "no/parts"), "no/parts: cannot be written: No such file or directory"),
        (
            ("-o", "parts", "--format", "tsv"),
            "--format tsv: a part is Parquet; `janusdna merge` writes any format",
        ),
    ],
)
def test_where_no_part_can_go(work, options, problem):
    before = MEAN.words(work)
    one_line(work.run(*before, "--shard", "1/2", *options), problem)
    assert sorted(path.suffix for path in work.folder.iterdir()) == [".bed", ".fa"]


@pytest.mark.parametrize("words", [("score-variants", "-", "-f", "genome.fa"), ("embed", "genome.fa", "-")])
def test_standard_input_cannot_be_shared_out(work, words):
    MEAN.words(work)
    result = work.run(*words, "--shard", "1/2", "-o", "parts", "-m", work.model, stdin=b"")
    one_line(result, "--shard: standard input or a pipe cannot be shared out; name a file to read")
    assert not Path("parts").exists()


def test_a_shard_that_does_not_exist(work):
    result = work.run(*MEAN.words(work), "--shard", "3/2", "-o", "parts")
    assert result.exit_code == 2
    assert "--shard: found '3/2', expected I/N" in " ".join(result.stderr.split())


# merge


@pytest.fixture
def parts(work):
    """Three parts of a run."""
    return shards(work, MEAN.words(work), 3)


def merged(work, *names, output="merged.parquet", more=()):
    return work.run("merge", *names, "-o", output, *more)


def test_parts_may_be_named_one_by_one_in_any_order(work, parts, whole):
    assert run_to_end(work, ["merge", *parts[::-1]]) == whole(MEAN).data
    assert run_to_end(work, ["merge", parts[1], "parts"], "twice.parquet") == whole(MEAN).data


def test_merge_from_python(work, parts, whole):
    summary = merge_parts([str(path) for path in parts], "out.parquet", quiet=True)
    assert Path("out.parquet").read_bytes() == whole(MEAN).data
    table = pd.read_parquet("out.parquet")
    assert summary.counts == table["status"].value_counts().to_dict()


@pytest.mark.parametrize("name", ["out.tsv", "out.tsv.gz", "out.dat"])
def test_merge_writes_any_format(work, parts, name):
    more = ["--format", "tsv"] if name == "out.dat" else []
    one = run_to_end(work, [*MEAN.words(work), *more], f"one-{name}")
    assert run_to_end(work, ["merge", "parts", *more], name) == one


def test_merge_to_standard_output(work, parts):
    run_to_end(work, MEAN.words(work), "one.tsv")
    result = merged(work, "parts", output="-")
    assert (result.exit_code, result.stdout_bytes) == (0, Path("one.tsv").read_bytes())
    result = merged(work, "parts", output="-", more=["--format", "parquet", "--quiet"])
    assert result.stderr == ""
    assert pq.read_table(pa.BufferReader(result.stdout_bytes)).num_rows == 22


def test_merge_replaces_nothing_unless_told(work, parts, whole):
    Path("merged.parquet").write_text("precious")
    one_line(merged(work, "parts"), "merged.parquet: exists; pass --overwrite to replace it")
    assert Path("merged.parquet").read_text() == "precious"
    assert merged(work, "parts", more=["--overwrite"]).exit_code == 0
    assert Path("merged.parquet").read_bytes() == whole(MEAN).data


def test_a_part_that_is_missing_is_named(work, parts):
    parts[1].unlink()
    one_line(merged(work, "parts"), "parts: of 3 parts 1 are missing: --shard 2/3; run them first")
    parts[0].unlink()
    one_line(merged(work, "parts"), "of 3 parts 2 are missing: --shard 1/3, 2/3; run them first")
    assert not list(work.folder.glob("*merged*"))


def test_a_part_that_is_there_twice_is_named(work, parts):
    copy = Path("parts/part-2-of-3.copy.parquet")
    copy.write_bytes(parts[1].read_bytes())
    one_line(merged(work, *parts, copy), f"{copy}: is part 2, as is {parts[1]}; pass one of them")


def test_parts_of_another_number_are_told(work, parts):
    other = shard(work, MEAN.words(work), 1, 2, "two")
    one_line(
        merged(work, *parts, other),
        f"{other}: was started with --shard of 2, and not 3; {parts[0]} is of another run: pass parts of one",
    )


@pytest.mark.parametrize(
    ("more", "named"),
    [(("--pool", "max"), "--pool max, and not mean"), (("--window", 32), "--window 32, and not 64")],
)
def test_parts_of_another_run_are_told(work, parts, more, named):
    other = shard(work, [*MEAN.words(work), *more], 2, 3, "other")
    one_line(
        merged(work, parts[0], other, parts[2]),
        f"{other}: was started with {named}; {parts[0]} is of another",
    )


def test_parts_read_from_another_reference_are_told(work, parts):
    """Of the same names and lengths."""
    words = MEAN.words(work)
    fasta = Path("genome.fa")
    at = fasta.read_text().index("\n") + 500
    text = fasta.read_text()
    fasta.write_text(text[:at] + ("A" if text[at] != "A" else "C") + text[at + 1 :])
    words = ["embed", "genome.fa", *words[2:]]
    result = work.run(*words, "--shard", "3/3", "-o", "other")
    assert result.exit_code == 0
    other = "other/part-3-of-3.parquet"
    one_line(
        merged(work, parts[0], parts[1], other),
        f"{other}: was started with md5 of one ",
        "parts before it were read from another reference: pass parts of one run",
    )


def test_what_is_no_part_is_told(work, parts):
    run_to_end(work, MEAN.words(work))
    one_line(merged(work, "out.parquet"), "out.parquet: is no part of a sharded run; pass what --shard wrote")
    one_line(merged(work, "no.parquet"), "no.parquet: no such file; check the path")
    one_line(merged(work, "genome.fa"), "genome.fa: is no Parquet file, or a damaged one: ")
    Path("empty").mkdir()
    one_line(merged(work, "empty"), "empty: holds no parts (part-1-of-N.parquet, ...)")
    pq.write_table(pa.table({"a": [1]}), "foreign.parquet")
    one_line(merged(work, "foreign.parquet"), "foreign.parquet: is no part of a sharded run")


@pytest.mark.parametrize("length", [0, 3, 500, -4, -1])
def test_a_part_that_is_cut_off_is_told(work, parts, length):
    parts[1].write_bytes(parts[1].read_bytes()[:length])
    one_line(merged(work, "parts"), f"{parts[1]}: is no Parquet file, or a damaged one: ")
    assert not list(work.folder.glob("*merged*"))


def test_a_part_whose_rows_are_damaged_is_told(work, parts, whole):
    """Each page of it has a checksum."""
    data, draw = parts[1].read_bytes(), random.Random(3)
    footer = int.from_bytes(data[-8:-4], "little") + 8
    told = 0
    for at in draw.sample(range(4, len(data) - footer), 60):
        flipped = bytearray(data)
        flipped[at] ^= 1 << draw.randrange(8)
        parts[1].write_bytes(flipped)
        result = merged(work, "parts", more=["--overwrite"])
        if result.exit_code == 0:  # of no consequence
            assert Path("merged.parquet").read_bytes() == whole(MEAN).data
        else:
            one_line(result)
            told += 1
    assert told > 30


def test_a_row_that_a_part_lacks_is_named(work, parts):
    """As no run leaves it."""
    table, kept = pq.read_table(parts[1]), metadata(parts[1])
    first = numbers(parts[1])[0]
    with open_table(str(parts[1]), table.schema, Format.parquet, overwrite=True, metadata=kept) as out:
        out.write_table(table.slice(1))
    one_line(merged(work, "parts"), f"row {first} of the table is missing; run all of it again")
    assert not list(work.folder.glob("*merged*"))


def test_parts_of_many_row_groups_are_read_group_by_group(tmp_path, monkeypatch):
    """Memory holds the groups that a block is in, and no others."""
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 10)
    draw = np.random.default_rng(0)
    owner = np.repeat(draw.integers(0, 3, 100), 3)
    schema = pa.schema([(NUMBER, pa.int64()), ("value", pa.string())])
    read = []
    paths = [tmp_path / f"{part}.parquet" for part in range(3)]
    for part, path in enumerate(paths):
        own = np.flatnonzero(owner == part)
        with open_table(str(path), schema, Format.parquet) as out:
            out.write({NUMBER: own, "value": [f"row {n}" for n in own]})
    real = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda file, i, **options: read.append(i) or real(file, i, **options),
    )
    rows = [PartRows(path) for path in paths]
    table = pa.concat_tables(in_order(rows, 0, 300))
    assert table["value"].to_pylist() == [f"row {n}" for n in range(300)]
    groups = sum(pq.read_metadata(path).num_row_groups for path in paths)
    assert len(read) == groups  # each once
    assert max(len(each._groups) for each in rows) <= 3
