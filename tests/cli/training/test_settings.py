"""What a run can be told: the paper's numbers written out, and what every wrong value is answered with."""

import dataclasses
import inspect
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from janusdna import ConfigError, ModelConfig
from janusdna.reader import open_checkpoint
from janusdna.recipe import Recipe
from janusdna_cli.commands.pretrain import pretrain
from janusdna_cli.errors import InputError
from janusdna_cli.genome.splits import Interval
from janusdna_cli.training.settings import DrawSettings, PretrainSettings

SIZES = {"hidden_size": 16, "intermediate_size": 32, "fusion_scale_width": 32, "trained_length": 64}


def told(**options: Any) -> PretrainSettings:
    return PretrainSettings(fasta="data/hg38.fa.gz", **options)


def test_the_defaults_are_the_paper_s_recipe() -> None:
    settings = told()
    config = settings.network(None)
    assert (config.hidden_size, config.num_layers, config.num_experts) == (32, 8, 16)
    assert config.trained_length == 1_024
    assert config.router_aux_loss_coef == 0.2
    assert settings.tokens_per_step == 1_048_576
    assert settings.objective == "janus"
    assert dataclasses.asdict(settings.recipe(1_024)) == {
        "max_steps": 10_000,
        "optimizer": "adamw",
        "lr": 8e-3,
        "warmup": 0.1,
        "warmup_lr": 1e-6,
        "min_lr": 1e-4,
        "beta1": 0.9,
        "beta2": 0.95,
        "eps": 1e-8,
        "momentum": 0.95,
        "weight_decay": 0.1,
        "clip": 1.0,
    }
    assert settings.corpus(1_024) == DrawSettings(
        length=1_024, seed=0, max_n=0.5, reverse_complement=True, shift=False, soft_mask_weight=1.0
    )


@pytest.mark.parametrize(
    ("length", "steps"), [(1_024, 10_000), (131_071, 10_000), (131_072, 50_000), (1 << 20, 50_000)]
)
def test_long_windows_take_more_steps(length: int, steps: int) -> None:
    assert told().recipe(length).max_steps == steps
    assert told(max_steps=7).recipe(length).max_steps == 7


def test_every_number_of_the_recipe_can_be_told() -> None:
    chosen = {
        "max_steps": 11, "optimizer": "muon", "lr": 0.2, "warmup": 0.3, "warmup_lr": 0.04, "min_lr": 0.05,
        "beta1": 0.6, "beta2": 0.7, "eps": 1e-5, "momentum": 0.6, "weight_decay": 0.8,
        "clip": 0.9,
    }  # fmt: skip
    assert dataclasses.asdict(told(**chosen).recipe(1_024)) == chosen
    drawn = told(seed=3, max_n=0.1, rc=False, shift=True, soft_mask_weight=0.4).corpus(99)
    assert drawn == DrawSettings(
        length=99, seed=3, max_n=0.1, reverse_complement=False, shift=True, soft_mask_weight=0.4
    )
    config = told(length=2_048, aux=0.5, preset="janusdna-144").network(None)
    assert (config.trained_length, config.router_aux_loss_coef, config.hidden_size) == (2_048, 0.5, 144)
    assert told(preset="janusdna-144").network(None).trained_length == 131_072


@pytest.mark.parametrize(("steps", "warmup"), [(1_000, 0.1), (50, 0.2), (7, 0.0), (10, 0.5)])
def test_the_learning_rate_is_that_of_pytorch_s_schedules(steps: int, warmup: float) -> None:
    recipe = Recipe(max_steps=steps, warmup=warmup, lr=0.02, warmup_lr=1e-5, min_lr=3e-4)
    rising = int(steps * warmup)
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.02)
    falls = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps - rising, eta_min=3e-4)
    expected = []
    for step in range(rising + 1):
        expected.append(1e-5 + (0.02 - 1e-5) * step / rising if rising else 0.02)
    for _ in range(steps - rising):
        optimiser.step()
        falls.step()
        expected.append(falls.get_last_lr()[0])
    found = [recipe.lr_at(step) for step in range(1, steps + 1)]
    assert found == pytest.approx(expected[1:], rel=1e-9)
    assert max(found) <= 0.02
    assert found[-1] == pytest.approx(3e-4)


def test_the_learning_rate_of_the_paper_at_some_steps() -> None:
    recipe = told().recipe(1_024)
    half = (8e-3 + 1e-4) / 2
    expected = {
        1: 1e-6 + 7.999e-6,
        500: (1e-6 + 8e-3) / 2,
        1_000: 8e-3,
        # A third of the way down a cosine is a quarter of its height, a half is half of it.
        4_000: 1e-4 + 7.9e-3 * 0.75,
        5_500: half,
        7_000: 1e-4 + 7.9e-3 * 0.25,
        10_000: 1e-4,
    }
    assert {step: recipe.lr_at(step) for step in expected} == pytest.approx(expected)


def test_a_warm_up_of_all_steps_ends_at_the_top() -> None:
    recipe = told(warmup=1.0, max_steps=4).recipe(1_024)
    assert [recipe.lr_at(step) for step in (2, 4)] == pytest.approx([(1e-6 + 8e-3) / 2, 8e-3])


NOT_NEGATIVE = ["warmup_lr", "min_lr", "weight_decay", "aux", "soft_mask_weight", "seed", "valid_every"]
COUNTS = [
    "tokens_per_step", "max_steps", "valid_windows", "checkpoint_every", "keep", "batch_bp",
    "threads", "workers",
]  # fmt: skip
WRONG = [
    *[(name, -0.1, "0 or more, and less than 1") for name in ("valid_share", "beta1", "beta2", "momentum")],
    *[(name, 1.0, "0 or more, and less than 1") for name in ("valid_share", "beta1", "beta2", "momentum")],
    *[(name, value, "a share, 0 to 1") for name in ("warmup", "max_n") for value in (-0.1, 1.1)],
    *[(name, value, "more than 0") for name in ("lr", "clip") for value in (0.0, -1.0, math.inf)],
    *[(name, -1, "0 or more") for name in NOT_NEGATIVE],
    *[(name, 0, "1 or more") for name in COUNTS],
    ("length", 2, "3 or more"),
    ("objective", "bert", "janus or mlm or clm"),
    ("optimizer", "sgd", "adamw or muon"),
    ("recompute", "yes", "auto or on or off"),
    ("dtype", "float16", "auto or float32 or bfloat16"),
    ("kernels", "cuda", "auto or triton or mamba-ssm or reference"),
    *[(name, math.nan, "") for name in ("lr", "beta1", "max_n", "aux")],
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "expected"), WRONG)
def test_a_number_that_makes_no_sense(name: str, value: Any, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        told(**{name: value})
    option = "--" + name.replace("_", "-")
    assert str(caught.value).startswith(f"{option}: found {value!r}, expected ")
    if expected:
        assert str(caught.value).endswith(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("valid_share", 0.0), ("beta1", 0.0), ("warmup", 0.0), ("warmup", 1.0), ("max_n", 0.0),
        ("max_n", 1.0), ("length", 3), ("max_steps", 1), ("soft_mask_weight", 0.0), ("valid_every", 0),
        ("seed", 0), ("aux", 0.0),
    ],
)  # fmt: skip
def test_a_number_at_its_edge(name: str, value: float) -> None:
    assert getattr(told(**{name: value}), name) == value


def test_what_cannot_be_told_together() -> None:
    with pytest.raises(InputError) as caught:
        told(intervals="x.bed", valid_contigs=("chr8",))
    assert str(caught.value) == "--intervals and --valid-contigs: both say what is held out; pass one"
    with pytest.raises(InputError) as caught:
        told(resume=True, overwrite=True)
    assert str(caught.value) == "--resume and --overwrite: pass one, to go on or to start anew"


def test_the_folder_is_named_after_the_genome() -> None:
    assert told().folder == Path("hg38.janusdna-run")
    assert told(output="runs/a").folder == Path("runs/a")


@pytest.mark.parametrize("nested", [False, True])
def test_sizes_from_a_file(tmp_path: Path, nested: bool) -> None:
    path = tmp_path / "sizes.json"
    path.write_text(json.dumps({"name": "x", "model": SIZES} if nested else SIZES))
    expected = ModelConfig(**SIZES)
    assert told(preset=str(path)).network(None) == expected
    assert told(preset=str(path), length=32).network(None).trained_length == 32
    # As the folder of a run keeps them, layers as lists.
    path.write_text(json.dumps(dataclasses.replace(expected, expert_layers=(0, 2)).to_dict()))
    assert told(preset=str(path)).network(None).expert_layers == (0, 2)


def test_a_file_without_a_length_is_of_1024(tmp_path: Path) -> None:
    path = tmp_path / "sizes.json"
    path.write_text(json.dumps(SIZES | {"trained_length": None}))
    assert told(preset=str(path)).network(None).trained_length == 1_024


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (SIZES | {"depth": 3}, "unknown configuration fields: depth"),
        ({"hidden_size": 16}, "missing 2 required keyword-only arguments: 'intermediate_size' and"),
        (SIZES | {"hidden_size": 15}, "hidden_size 15 is not a multiple of num_heads 4"),
        (SIZES | {"hidden_size": "16"}, "hidden_size is '16': expected a positive whole number"),
        ({"model": 5}, ""),
        ({"model": ["x"]}, "unknown configuration fields: x"),
    ],
)
def test_a_file_that_holds_no_sizes_is_named(tmp_path: Path, fields: dict[str, Any], problem: str) -> None:
    path = tmp_path / "sizes.json"
    path.write_text(json.dumps(fields))
    with pytest.raises(InputError) as caught:
        told(preset=str(path)).network(None)
    assert str(caught.value).startswith(f"--preset {path}: {problem}")


def test_a_preset_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no preset is called 'janusdna-31': expected one of janusdna-32, "):
        told(preset="janusdna-31").network(None)
    path = tmp_path / "sizes.json"
    with pytest.raises(InputError) as caught:
        told(preset=str(path)).network(None)
    assert str(caught.value).startswith(f"--preset {path}: no such file; expected janusdna-32, ")
    assert str(caught.value).endswith(" or a JSON file")


def test_the_sizes_of_a_model_to_start_from_are_its_own(model_dir: Path) -> None:
    settings, start = told(init=str(model_dir), aux=0.3), open_checkpoint(str(model_dir)).config
    assert settings.network(start) == dataclasses.replace(start, router_aux_loss_coef=0.3)
    assert settings.network(start).trained_length == 64


LENGTHS = {"chr1": 6_400, "chr2": 640, "chr3": 60}


def test_what_is_held_out(tmp_path: Path) -> None:
    bed = tmp_path / "splits.bed"
    bed.write_text("1\t0\t640\tvalid\nchr2\t0\t640\ttrain\n")
    found = told(intervals=str(bed)).splits(LENGTHS, 64)
    assert found == {"train": [Interval("chr2", 0, 640)], "valid": [Interval("chr1", 0, 640)], "test": []}
    found = told(valid_contigs=("2",)).splits(LENGTHS, 64)
    assert found["valid"] == [Interval("chr2", 0, 640)]
    assert found["train"] == [Interval("chr1", 0, 6_400), Interval("chr3", 0, 60)]
    found = told(valid_share=0.25).splits(LENGTHS, 64)
    assert sum(map(len, found["valid"])) == pytest.approx(7_040 / 4, abs=128)
    assert told(valid_share=0.0).splits(LENGTHS, 64)["valid"] == []


def test_no_window_fits(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        told().splits(LENGTHS, 8_192)
    assert str(caught.value) == (
        "data/hg38.fa.gz: its longest contig has 6,400 bases, expected at least a window of 8,192; "
        "lower --length"
    )
    with pytest.raises(InputError) as caught:
        told(valid_contigs=("chr1",)).splits(LENGTHS, 1_024)
    assert str(caught.value) == (
        "data/hg38.fa.gz: no interval to train on is as long as a window of 1,024 bases"
    )
    bed = tmp_path / "splits.bed"
    bed.write_text("1\t0\t6400\tvalid\nchr2\t0\t63\ttrain\n")
    with pytest.raises(InputError) as caught:
        told(intervals=str(bed)).splits(LENGTHS, 64)
    assert str(caught.value) == f"{bed}: no interval to train on is as long as a window of 64 bases"


@pytest.mark.parametrize(("length", "windows"), [(1_024, 512), (131_072, 8), (65_536, 8), (32_768, 16)])
def test_a_validation_reads_half_a_million_bases(length: int, windows: int) -> None:
    assert told().most_valid_windows(length) == windows
    assert told(valid_windows=3).most_valid_windows(length) == 3


def test_a_resumption_may_differ_where_the_weights_do_not() -> None:
    """By name, so that a new setting is bound unless someone decides otherwise."""
    settings = told(valid_contigs=("chr8",))
    free = {field.name for field in dataclasses.fields(settings)} - set(settings.binding())
    assert free == {
        # What the genome's digest binds, by its contents and not by its path.
        "fasta", "intervals", "weights",
        "output", "resume", "overwrite", "quiet", "device", "threads", "workers", "keep", "checkpoint_every",
        # What is in memory at once: the last bits, and how load balancing is averaged.
        "batch_bp", "recompute",
    }  # fmt: skip
    assert all(value == getattr(settings, name) for name, value in settings.binding().items())
    json.dumps(settings.binding())


def test_the_command_s_defaults_are_the_settings() -> None:
    fields = {field.name: field.default for field in dataclasses.fields(PretrainSettings)}
    options = {name: option.default for name, option in inspect.signature(pretrain).parameters.items()}
    assert set(options) - set(fields) == {"verbose"}
    assert set(fields) - set(options) == set()
    # The command says neither --fasta nor contigs by default: the one is needed, the other is a text.
    for name in set(fields) - {"fasta", "valid_contigs"}:
        assert (options[name], type(options[name])) == (fields[name], type(fields[name])), name
    assert options["fasta"] is inspect.Parameter.empty
    assert fields["fasta"] is dataclasses.MISSING
    assert (options["valid_contigs"], fields["valid_contigs"]) == (None, ())
