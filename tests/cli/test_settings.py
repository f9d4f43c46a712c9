"""What settings refuse from Python, as the command line does."""

import dataclasses
from pathlib import Path

import pytest

from janusdna_cli import EmbedSettings, MutagenesisSettings, ScoreSettings, TrackSettings
from janusdna_cli.errors import InputError
from janusdna_cli.outputs.formats import Format
from janusdna_cli.runs.settings import RunSettings
from janusdna_cli.runs.shards import Shard

SHARED = [
    ("window", -5),
    ("window", 1),
    ("window", 2**20 + 1),
    ("window", 64.0),
    ("window", "1k"),
    ("window", True),
    ("batch_bp", -1),
    ("batch_bp", 0),
    ("threads", 0),
    ("device", "gpu"),
    ("device", None),
    ("dtype", "float16"),
    ("kv_dtype", "int8"),
    ("kernels", "magic"),
    ("kernels", None),
    ("model", 7),
    ("format", "csv"),
    ("output", 3),
    ("shard", 3),
    ("shard", "3"),
    ("shard", "0/3"),
    ("shard", "4/3"),
    ("shard", "1/3/5"),
    ("shard", "-1/3"),
    ("shard", "a/b"),
    ("shard", "1/"),
]
OF_REGIONS = [
    ("pool", "median"),
    ("pool", "Max"),
    ("pool", None),
    ("regions", 1.5),
    ("layer", "last"),
    ("layer", "forward:"),
    ("layer", 3),
    ("layer", None),
    ("embedding_dtype", "bfloat16"),
    ("embedding_dtype", None),
    ("format", "folder of parquet"),
]
OF_VARIANTS = [
    ("format", "npz"),
    ("format", "h5ad"),
    ("context", "striped"),
    ("span", 0),
    ("span", None),
    ("scores", ("llr", "magic")),
    ("scores", "llr"),
    ("scores", ()),
]


OF_BASES = [("region", 7), ("region", ("chr1", 7)), ("regions", 1.5)]
OF_MAPS = [*OF_BASES, *OF_VARIANTS[2:], ("plot", "map.gif"), ("plot", 7)]
OF_TRACKS = [*OF_BASES, ("value", "llr"), ("value", None), ("format", "vcf")]


@pytest.mark.parametrize(("field", "value"), SHARED + OF_MAPS)
def test_a_value_that_means_nothing_is_refused_for_maps(field, value):
    check_refused(lambda: MutagenesisSettings(**{"fasta": "g.fa", field: value}), field, value)


@pytest.mark.parametrize(("field", "value"), SHARED + OF_TRACKS)
def test_a_value_that_means_nothing_is_refused_for_tracks(field, value):
    check_refused(lambda: TrackSettings(**{"fasta": "g.fa", field: value}), field, value)


@pytest.mark.parametrize(("field", "value"), SHARED + OF_REGIONS)
def test_a_value_that_means_nothing_is_refused_for_regions(field, value):
    check_refused(lambda: EmbedSettings(**{"fasta": "g.fa", field: value}), field, value)


@pytest.mark.parametrize(("field", "value"), SHARED + OF_VARIANTS)
def test_a_value_that_means_nothing_is_refused_for_variants(field, value):
    check_refused(lambda: ScoreSettings(**{"vcf": "v.vcf", field: value}), field, value)


def check_refused(make, field, value):
    with pytest.raises(InputError) as caught:
        make()
    assert str(caught.value).startswith("--" + field.replace("_", "-"))
    shown = value[-1] if isinstance(value, tuple) and value else value
    assert repr(shown) in str(caught.value)
    assert "expected" in str(caught.value)


def test_values_that_mean_something_are_taken():
    for good in ({}, {"window": 3}, {"window": 2**20}, {"threads": 1}, {"device": "cuda:3"}, {"batch_bp": 1}):
        for made in (EmbedSettings(fasta="g.fa", **good), ScoreSettings(vcf="v.vcf", **good)):
            assert {name: getattr(made, name) for name in good} == good
    made = EmbedSettings(fasta="g.fa", layer="backward:0", embedding_dtype="float16", format="h5ad")
    assert (made.layer, made.embedding_dtype, made.format) == ("backward:0", "float16", Format.h5ad)
    made = ScoreSettings(vcf=Path("a") / "v.vcf", output=Path("o.tsv"), format="tsv", scores=["llr"])
    assert (made.vcf, made.output, made.format, made.scores) == ("a/v.vcf", "o.tsv", Format.tsv, ("llr",))


def test_formats_are_those_that_a_task_can_write():
    assert ScoreSettings(vcf="v.vcf", format="bcf").format is Format.bcf
    with pytest.raises(InputError, match=r"--format: found 'vcf', expected parquet or tsv or npz or h5ad$"):
        EmbedSettings(fasta="g.fa", format="vcf")


def test_every_setting_of_a_run_is_an_option_of_both_commands():
    """Of all but the output and its format, which each command has a place of its own for."""
    from janusdna_cli.commands.options import _OF_RUN

    fields = {field.name for field in dataclasses.fields(RunSettings)}
    assert sorted(_OF_RUN) == sorted(fields - {"output", "format"})


@pytest.mark.parametrize(
    ("text", "shard"), [("1/1", Shard(1, 1)), ("2/3", Shard(2, 3)), ("10/10", Shard(10, 10))]
)
def test_a_shard_is_named_by_its_number_and_how_many_there_are(text, shard):
    assert EmbedSettings(fasta="g.fa", shard=text).shard == shard
    assert ScoreSettings(vcf="v.vcf", shard=shard).shard == shard
    assert str(shard) == text


def test_there_is_no_part_beyond_the_last():
    with pytest.raises(InputError, match=r"^--shard: found '3/2', expected I/N"):
        Shard(3, 2)


def test_parts_are_named_in_their_order():
    names = [Shard(index, 12).file_name for index in range(1, 13)]
    assert names == sorted(names)
    assert (names[0], names[-1]) == ("part-01-of-12.parquet", "part-12-of-12.parquet")


def test_nobody_starts_anew_and_goes_on():
    with pytest.raises(InputError, match="--overwrite starts anew and --resume goes on: pass one of them"):
        EmbedSettings(fasta="g.fa", overwrite=True, resume=True)
