"""Which file of a dataset a published name means."""

import pytest

from janusdna import PRESETS
from janusdna_cli.errors import InputError
from janusdna_cli.model_store.published_names import (
    choose,
    choose_named,
    choose_within,
    configuration_of,
    published,
    published_sizes,
)

RUN = "janusdna_len-1k_d_model-{0}_inter_dim-{1}_n_layer-8_lr-8e-3_step-10K_moeloss-true_1head_{2}"
LONG = "janusdna_len-131k_d_model-144_inter_dim-576_n_layer-8_lr-8e-3_step-50K_moeloss-true_1head_onlymoe"
SIZES = [("32", "with"), ("32", "without"), ("72", "with"), ("72", "without"), ("144", "without")]
NAMES = [f"janusdna-{width}" + "-midattn" * (kind == "with") for width, kind in SIZES]
NAMES[1] += "-published"

LAYOUTS = {
    "as others describe it": [f"{width}_{kind}_midattn.ckpt" for width, kind in SIZES],
    "folders of runs": [
        RUN.format(width, 4 * int(width), "midattn" if kind == "with" else "onlymoe")
        + "/checkpoints/last.ckpt"
        for width, kind in SIZES[:4]
    ]
    + [f"{LONG}/checkpoints/last.ckpt"],
    "as the scripts are called": [
        f"JanusDNA_{'w' if kind == 'with' else 'wo'}_midattn_{width}dim/last.ckpt" for width, kind in SIZES
    ],
    "archives": [f"janusdna-{width}-{'' if kind == 'with' else 'no'}midattn.tar.gz" for width, kind in SIZES],
    "one said, one not": [
        f"weights/dim{width}/{kind}-mid-attention/x.ckpt".replace("dim", "d_model-") for width, kind in SIZES
    ],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("name", "place"), list(zip(NAMES, range(5), strict=True)))
def test_each_name_finds_its_own(layout, name, place):
    with_mlp = [f"{RUN.format(width, 4 * int(width), kind)}_finalmlp.tar.bz2" for width, kind in SIZES]
    paths = [*LAYOUTS[layout], *with_mlp, "README.md", "hg38.fa.gz"]
    assert choose(paths, published(name)) == LAYOUTS[layout][place]


def test_the_final_mlp_is_another_name():
    archive = f"{LONG}_finalmlp.tar.bz2"
    paths = ["144_without_midattn.ckpt", archive]
    assert choose(paths, published("janusdna-144-mlp")) == archive
    assert choose(paths, published("janusdna-144")) == "144_without_midattn.ckpt"


def test_a_loose_checkpoint_goes_before_an_archive_and_the_last_before_others():
    paths = ["32_wo_midattn.zip", "32_wo_midattn/last.ckpt", "32_wo_midattn/val_loss.ckpt"]
    assert choose(paths, published("janusdna-32-published")) == paths[1]


def test_more_than_one_is_for_the_user_to_name():
    paths = ["72_midattn_a.ckpt", "72_midattn_b.ckpt", "README.md"]
    with pytest.raises(InputError) as error:
        choose(paths, published("janusdna-72-midattn"))
    assert str(error.value) == (
        "2 files may be janusdna-72-midattn (hidden size 72, with mid attention, without the final MLP): "
        "72_midattn_a.ckpt, 72_midattn_b.ckpt; name one with --file PATH-IN-DATASET"
    )


def test_none_names_what_there_is():
    with pytest.raises(InputError) as error:
        choose(["weights.zip", "README.md"], published("janusdna-144-mlp"))
    assert str(error.value) == (
        "no file looks like janusdna-144-mlp (hidden size 144, without mid attention, with the final MLP); "
        "of 2 files 1 are checkpoints or archives: weights.zip; name one with --file PATH-IN-DATASET, "
        "or see all with: janusdna models pull --list"
    )


def test_a_name_that_nothing_has():
    with pytest.raises(InputError) as error:
        published("janusdna-7")
    assert "no published model is called 'janusdna-7': expected one of janusdna-32-published, " in str(
        error.value
    )
    assert [published(name).config for name in published_sizes()] == list(PRESETS.values())


def test_the_bundled_models_name_is_not_another_models():
    with pytest.raises(InputError) as error:
        published("janusdna-32")
    assert str(error.value).startswith(
        "janusdna-32 comes with janusdna and need not be fetched: expected one"
    )
    assert not published("janusdna-32-published").final_mlp
    assert published("janusdna-32-mlp").final_mlp


@pytest.mark.parametrize("file", ["a/last.ckpt", "x.zip"])
def test_a_file_is_named_with_or_without_its_folder(file):
    assert choose_named(["a/last.ckpt", "b/last.ckpt", "c/x.zip"], file) == {"x.zip": "c/x.zip"}.get(
        file, file
    )


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (
            "last.ckpt",
            "--file last.ckpt: 2 of the dataset's 3 files are called so: a/last.ckpt, b/last.ckpt; ",
        ),
        ("y.zip", "--file y.zip: 0 of the dataset's 3 files are called so; see all with: "),
        ("README.md", "--file README.md: is neither checkpoint nor archive: expected one of .ckpt, .pt, "),
    ],
)
def test_a_file_that_cannot_be_meant(file, said):
    with pytest.raises(InputError) as error:
        choose_named(["a/last.ckpt", "b/last.ckpt", "README.md"], file)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("checkpoint", "configuration"),
    [
        ("72_with.ckpt", "72_with_model_config.json"),
        ("run/checkpoints/last.ckpt", "run/model_config.json"),
        ("one/last.ckpt", "one/model_config.json"),
        ("other/last.ckpt", "other/the_config.json"),
    ],
)
def test_a_checkpoint_finds_its_configuration(checkpoint, configuration):
    paths = [
        checkpoint, "72_with_model_config.json", "72_without_model_config.json", "run/model_config.json",
        "one/model_config.json", "one/data_config.json", "other/the_config.json", "other/metrics.json",
    ]  # fmt: skip
    assert configuration_of(checkpoint, paths) == configuration


def test_a_checkpoint_without_configuration():
    with pytest.raises(InputError) as error:
        configuration_of("x/y/last.ckpt", ["a_config.json", "b_config.json"])
    assert str(error.value) == (
        "x/y/last.ckpt: found 2 configurations: a_config.json, b_config.json, expected "
        "last_model_config.json or model_config.json beside it"
    )


def test_the_checkpoint_within_an_archive():
    assert choose_within(["run/a.ckpt", "run/last.ckpt", "run/x"], "x.zip") == "run/last.ckpt"
    with pytest.raises(InputError) as error:
        choose_within(["a.ckpt", "b.ckpt", "c"], "x.zip")
    assert str(error.value) == (
        "x.zip: 2 of 3 files are checkpoints: a.ckpt, b.ckpt; expected one, or one last.ckpt; unpack it, "
        "then: janusdna models convert FILE -o DIR --length N"
    )
