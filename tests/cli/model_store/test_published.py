"""Which file of a dataset a published name means, and what is known of it."""

import re

import pytest

from janusdna import PRESETS
from janusdna_cli.errors import InputError
from janusdna_cli.model_store.published import (
    CHECKSUMS,
    FILES,
    choose,
    configuration_of,
    known_checksum,
    published_checksum,
    published_config,
    published_sizes,
)

LONG = "janusdna_len-131k_d_model-144_inter_dim-576_n_layer-8_lr-8e-3_step-50K_1head_onlymoe_finalmlp.tar.bz2"
DATASET = [
    *(f"{width}_{kind}_midattn.ckpt" for width in (32, 72) for kind in ("with", "without")),
    "144_without_midattn.ckpt",
    LONG,
    *(LONG.replace("131k", "1k").replace("144", str(width)) for width in (32, 72)),
    *(
        LONG.replace("131k", "1k").replace("144", str(width)).replace("onlymoe", "midattn")
        for width in (32, 72)
    ),
    "README.md",
    "archive/hg38.fa.gz",
]


@pytest.mark.parametrize("name", FILES)
def test_each_name_finds_its_own(name):
    found = choose(DATASET, FILES[name])
    width = re.search(r"\d+", name)[0]
    assert re.match(rf"{width}_|.*d_model-{width}_", found)
    assert ("finalmlp" in found) == name.endswith("-mlp")
    with_attention = "_with_" in found or "midattn_finalmlp" in found
    assert with_attention == ("midattn" in name)


def test_every_preset_has_a_published_name_and_it_the_presets_sizes():
    assert [config.attention_layers for config in published_sizes().values()] == [
        preset.attention_layers for preset in PRESETS.values()
    ]
    assert published_config("janusdna-144-mlp") == PRESETS["janusdna-144"]
    assert not published_config("janusdna-144").final_mlp
    assert published_config("janusdna-32-published").hidden_size == 32


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("janusdna-7", "no published model is called 'janusdna-7': expected one of janusdna-32-published, "),
        ("janusdna-32", "janusdna-32 comes with janusdna and need not be fetched: expected one of "),
    ],
)
def test_a_name_that_nothing_has(name, said):
    with pytest.raises(InputError) as error:
        published_config(name)
    assert str(error.value).startswith(said)


def test_the_checksums_are_those_that_were_told(shared):
    told = (shared / "golden/published/README.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \| [\d,]+ \| `(\w{64})` \|$", told, re.MULTILINE)
    assert len(rows) == 4
    assert {file: CHECKSUMS[file] for file, _ in rows} == {file: f"sha256:{sha}" for file, sha in rows}
    (md5,) = re.findall(r"md5 `(\w{32})`", told)
    assert known_checksum(f"runs/{LONG}") == f"md5:{md5}"


def test_a_checksum_goes_with_the_files_name():
    assert known_checksum("folder/72_with_midattn.ckpt") == CHECKSUMS["72_with_midattn.ckpt"]
    assert known_checksum("32_with_midattn.ckpt") is None
    digest = CHECKSUMS["72_with_midattn.ckpt"].removeprefix("sha256:")
    assert published_checksum({"source": "last.ckpt", "source_sha256": digest}) == f"sha256:{digest}"
    assert published_checksum({"source": "72_with_midattn.ckpt", "source_sha256": "0" * 64}) is None
    assert published_checksum({}) is None


def test_more_than_one_is_for_the_user_to_name():
    with pytest.raises(InputError) as error:
        choose(["a/72_with_midattn.ckpt", "b/72_with_midattn.ckpt", "x"], "72_with_midattn.ckpt")
    assert str(error.value) == (
        "72_with_midattn.ckpt: 2 of the dataset's 3 files are called so: a/72_with_midattn.ckpt, "
        "b/72_with_midattn.ckpt; expected one: see all with `janusdna models pull --list`, name one with "
        "--file PATH-IN-DATASET"
    )
    assert choose(["a/x.ckpt", "b/x.ckpt"], "b/x.ckpt") == "b/x.ckpt"


def test_none_says_where_to_look():
    with pytest.raises(InputError) as error:
        choose(["weights.zip"], FILES["janusdna-144"])
    assert str(error.value).startswith(
        "144_without_midattn.ckpt: 0 of the dataset's 1 files are called so; expected one: see all with "
    )


@pytest.mark.parametrize(
    ("checkpoint", "configuration"),
    [
        ("72_with.ckpt", "72_with_model_config.json"),
        ("run/checkpoints/last.ckpt", "run/model_config.json"),
        ("one/last.ckpt", "one/model_config.json"),
    ],
)
def test_a_checkpoint_finds_its_configuration(checkpoint, configuration):
    paths = [
        checkpoint, "72_with_model_config.json", "72_without_model_config.json", "run/model_config.json",
        "one/model_config.json", "one/data_config.json",
    ]  # fmt: skip
    assert configuration_of(checkpoint, paths) == configuration


def test_a_checkpoint_without_configuration():
    with pytest.raises(InputError) as error:
        configuration_of("x/y/last.ckpt", ["a_config.json", "model_config.json"])
    assert str(error.value) == (
        "x/y/last.ckpt: has no configuration: expected one of x/y/last_model_config.json, "
        "x/y/model_config.json, x/model_config.json"
    )
