"""`janusdna models`: what is known, what a file holds, and converting."""

import json

import numpy as np
import pytest

import janusdna
from janusdna import PRESETS

CASES = ["tiny-midattn-mlp", "tiny-nomidattn-nomlp"]


@pytest.fixture(autouse=True)
def nothing_pulled(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def words(text):
    return {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in text.splitlines() if "  " in line}


def test_list_names_every_preset_with_its_sizes(work):
    result = work.run("models", "list")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    for name, config in PRESETS.items():
        assert lines[name].split()[1:3] == [str(config.hidden_size), f"{config.trained_length:,}"]
        assert lines[name].endswith("bundled, the default" if name == "janusdna-32" else "none here")
    assert lines["janusdna-32-published"].endswith("none here")
    assert "models convert" in result.stdout


def test_info_of_a_preset_has_no_weights(work):
    name = "janusdna-72"
    facts = words(work.run("models", "info", name).stdout)
    assert facts["name"] == f"{name} (a preset; no weights)"
    assert "sha256" not in facts


def test_info_of_a_model(work):
    facts = words(work.run("models", "info", work.model).stdout)
    parameters = sum(p.numel() for p in janusdna.load(work.model, device="cpu").module.parameters())
    assert facts["name"] == "tiny"
    assert facts["parameters"].startswith(f"{parameters:,}, ")
    assert facts["trained on windows of"] == "64 bp"
    assert facts["layers with attention"] == "2"
    assert facts["sha256"] == json.loads((work.model / "config.json").read_text())["weights_sha256"]


def test_info_of_the_bundled_model(work):
    facts = words(work.run("models", "info", "default").stdout)
    assert facts == words(work.run("models", "info", "janusdna-32").stdout)
    assert (facts["name"], facts["trained"]) == ("janusdna-32", "True")
    assert float(facts["valid_bits_per_base"]) < 1.676


def test_info_of_nothing(work):
    result = work.run("models", "info", "nothing")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "nothing: no model of this name" in result.stderr


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


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"PK\x03\x04" + bytes(100)])
def test_convert_refuses_what_is_no_checkpoint(work, content):
    (work.folder / "last.ckpt").write_bytes(content)
    result = work.run("models", "convert", "last.ckpt", "-o", "mine")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "last.ckpt" in result.stderr or "model_config.json" in result.stderr
    assert "bug" not in result.stderr
    assert not (work.folder / "mine").exists()
