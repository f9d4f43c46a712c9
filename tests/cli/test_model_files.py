"""`janusdna models`."""

import shutil

import numpy as np
import torch

from janusdna import PRESETS, load


def test_list_names_every_published_size(work):
    result = work.run("models", "list")
    assert result.exit_code == 0
    assert all(name in result.stdout for name in PRESETS)


def test_info_of_a_directory_and_of_a_preset(work):
    found = work.run("models", "info", work.model).stdout
    module = load(work.model, device="cpu").module
    assert f"{sum(p.numel() for p in module.parameters()):,}," in found
    assert "64 bp" in found
    assert "1,024 bp" in work.run("models", "info", "janusdna-32").stdout


def test_info_of_nothing(work):
    result = work.run("models", "info", "no-such-model")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)


def test_convert_keeps_the_network(work, shared):
    for name in ("last.ckpt", "model_config.json"):
        shutil.copy(shared / "golden" / "tiny-midattn-mlp" / name, name)
    arguments = ["models", "convert", "last.ckpt", "-o", "native", "--length", "1k"]
    result = work.run(*arguments)
    assert result.exit_code == 0, result.output
    before, after = (load(path, device="cpu") for path in ("last.ckpt", "native"))
    ids = torch.randint(7, 11, (1, 40))
    np.testing.assert_array_equal(before.read(ids).logits, after.read(ids).logits)
    assert (after.config.trained_length, after.info.name) == (1024, "native")
    assert work.run(*arguments).exit_code == 1
    assert work.run(*arguments, "--overwrite").exit_code == 0
