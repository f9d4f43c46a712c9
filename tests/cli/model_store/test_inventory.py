"""`janusdna models list` and `info`: what is known, what a model is."""

import json

import pytest

import janusdna
from janusdna import PRESETS


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
    verified = {name: line[68:90].strip() for name, line in lines.items() if name.startswith("janusdna-")}
    assert verified == dict.fromkeys(verified, "-") | {
        "janusdna-72": "sha256, known answer",
        "janusdna-72-midattn": "sha256",
    }
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
    assert float(facts["valid_bits_per_base"]) < 1.72


def test_info_of_nothing(work):
    result = work.run("models", "info", "nothing")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "nothing: no model of this name" in result.stderr
