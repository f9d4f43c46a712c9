"""`janusdna models convert`."""

import json

import numpy as np
import pytest
import torch

import janusdna
from janusdna.bundled import bundled_folder
from janusdna.checkpoint import read_native

CASES = ["tiny-midattn-mlp", "tiny-nomidattn-nomlp"]


def words(text):
    return {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in text.splitlines() if "  " in line}


@pytest.mark.parametrize("case", CASES)
def test_converted_weights_read_as_the_reference_does(work, shared, case):
    golden = shared / "golden" / case
    result = work.run("models", "convert", golden / "last.ckpt", "-o", "mine", "--length", "2k")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "mine: mine written, sha256 " in result.stderr
    assert sorted(path.name for path in (work.folder / "mine").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    info = json.loads((golden / "info.json").read_text())
    facts = words(work.run("models", "info", "mine").stdout)
    assert facts["parameters"] == f"{info['total_params']:,}, {info['activated_params']:,} activated"
    assert facts["trained on windows of"] == "2,048 bp"
    assert facts["final MLP"] == ("yes" if info["final_mlp"] else "no")
    sequence = "ACGTTGCAAC" * 3
    ours, theirs = (
        janusdna.load(path, device="cpu").read([sequence]).logits for path in ("mine", golden / "last.ckpt")
    )
    np.testing.assert_array_equal(ours, theirs)


def test_convert_names_the_model_and_replaces_none_unasked(work, shared):
    checkpoint = shared / "golden" / CASES[0] / "last.ckpt"
    assert work.run("models", "convert", checkpoint, "-o", "mine", "--name", "first").exit_code == 0
    result = work.run("models", "convert", checkpoint, "-o", "mine", "--name", "second")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "mine: holds a model already; pass --overwrite" in result.stderr
    assert words(work.run("models", "info", "mine").stdout)["name"] == "first"
    assert words(work.run("models", "info", "mine").stdout)["trained on windows of"] == "unknown"
    again = work.run("models", "convert", checkpoint, "-o", "mine", "--name", "second", "--overwrite", "-q")
    assert (again.exit_code, again.output) == (0, "")
    assert words(work.run("models", "info", "mine").stdout)["name"] == "second"


def test_matrices_in_bfloat16_take_half_the_space_and_read_alike(work):
    default = bundled_folder()
    for dtype in ("bfloat16", "float32"):
        words = ("models", "convert", default, "-o", dtype, "--weights-dtype", dtype, "-q")
        assert work.run(*words).exit_code == 0
    sizes = {
        name: (work.folder / name / "model.safetensors").stat().st_size for name in ("bfloat16", "float32")
    }
    assert sizes["bfloat16"] < 0.56 * sizes["float32"]
    exact, kept = (read_native(path).tensors for path in (default, work.folder / "bfloat16"))
    for name, tensor in kept.items():
        rounds = exact[name].ndim >= 2 and not name.endswith("A_log")
        assert tensor.dtype == (torch.bfloat16 if rounds else torch.float32), name
        assert torch.equal(tensor, exact[name].to(tensor.dtype)), name
    sequence = "ACGTTGCAACGGATTACA" * 20
    rough, fine = (janusdna.load(path, device="cpu") for path in (work.folder / "bfloat16", default))
    assert rough.info.dtype == "float32"
    difference = rough.read([sequence]).logits.log_softmax(-1) - fine.read([sequence]).logits.log_softmax(-1)
    assert 0 < difference[..., 7:11].abs().max() < 0.2


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"PK\x03\x04" + bytes(100)])
def test_convert_refuses_what_is_no_checkpoint(work, content):
    (work.folder / "last.ckpt").write_bytes(content)
    result = work.run("models", "convert", "last.ckpt", "-o", "mine")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "last.ckpt" in result.stderr or "model_config.json" in result.stderr
    assert "bug" not in result.stderr
    assert not (work.folder / "mine").exists()
