"""`janusdna models verify`, and what `pull` verifies, with stand-in weights."""

import dataclasses
import hashlib
import io
import json
import re

import pytest
import torch

import janusdna
from janusdna_cli.model_store import fetching, known_answers
from janusdna_cli.model_store.known_answers import KnownAnswer, known_answer
from janusdna_cli.model_store.published import CHECKSUMS, published_config

CHECKPOINT, CONFIG = "72_without_midattn.ckpt", "72_without_midattn_model_config.json"
REAL = CHECKSUMS[CHECKPOINT].removeprefix("sha256:")
TOLD = known_answer(REAL)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def put(folder, run):
    """The dataset's two files, as a user downloads them by hand."""
    for name, content in zip((CHECKPOINT, CONFIG), run, strict=True):
        (folder / name).write_bytes(content)
    return folder / CHECKPOINT


def answer_in_float64(checkpoint, told):
    """What the specification computes of the input that was `told`, (d,)."""
    model = janusdna.load(checkpoint, device="cpu", dtype="float64", kernels="reference")
    hidden = model.read(torch.tensor([told.ids]), torch.arange(told.positions)[None]).hidden
    return hidden[0].mean(dim=0).numpy()


@pytest.fixture
def published(monkeypatch):
    """Makes a stand-in the published 72_without_midattn, with what it must compute."""

    def publish(run, answer, told=TOLD):
        checkpoint, configuration = run
        monkeypatch.setitem(CHECKSUMS, CHECKPOINT, f"sha256:{sha256(checkpoint)}")
        monkeypatch.setitem(CHECKSUMS, CONFIG, f"sha256:{sha256(configuration)}")
        of_run = dataclasses.replace(told, hidden=tuple(map(float, answer)))
        monkeypatch.setattr(known_answers, "_answers", lambda: {sha256(checkpoint): of_run})

    return publish


@pytest.fixture(scope="module")
def run(narrow_run):
    return narrow_run


@pytest.fixture(scope="module")
def answer(run, tmp_path_factory):
    return answer_in_float64(put(tmp_path_factory.mktemp("run"), run), TOLD)


def error(result):
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1), result.output
    return result.stderr.removeprefix("janusdna: error: ").rstrip("\n")


def facts(result):
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return {line[:14].strip(): line[14:] for line in result.stdout.splitlines()}


def agreement(said):
    """The number in "agrees to 2e-6"."""
    assert said.startswith("agrees to ")
    return float(said.removeprefix("agrees to "))


@pytest.mark.parametrize(
    ("name", "entries", "signature"),
    [
        ("janusdna-72", 655, "a3cc604234b268252fe59cb7302239016b3778ae2927ee0b5bfd89b2115a89d5"),
        ("janusdna-72-midattn", 639, "5b8f64e8e74bbb86d3c2715b75c9ea46e61922f439a11855272a42c810369ecc"),
    ],
)
def test_the_stand_ins_have_the_published_names_and_shapes(write_run, name, entries, signature):
    # The real files' numbers: github.com/tcztzy/evo.cpp at c281681, configs/geneb-janusdna-models.json.
    checkpoint, _ = write_run(published_config(name))
    state = torch.load(io.BytesIO(checkpoint), weights_only=False)["state_dict"]
    weights = {key: tensor for key, tensor in state.items() if "torchmetrics" not in key}
    shapes = {re.sub(r"^model\.(model\.)?", "", key): tensor.shape for key, tensor in weights.items()}
    lines = [f"{key}|torch.float32|{','.join(map(str, shape))}" for key, shape in shapes.items()]
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    assert (len(state), len(lines)) == (entries, entries - 3)
    assert sha256("\n".join(sorted(lines)).encode()) == signature


def test_the_known_answer_is_what_was_told(shared):
    told = json.loads((shared / "golden/published/janusdna-72_known_answer.json").read_text())
    assert told["checkpoint_sha256"] == REAL
    assert told["input_ids"].startswith("[7, 8, 9, 10, 11, 7, 8, 9, 10] followed by 1,015 times 4;")
    expected = KnownAnswer((7, 8, 9, 10, 11, 7, 8, 9, 10) + 1015 * (4,), told["first"], tuple(told["values"]))
    assert expected == TOLD
    assert len(expected.hidden) == 72


def test_a_network_of_the_published_size(work, serve, published, cache, write_run, monkeypatch):
    monkeypatch.setattr(fetching, "_CHUNK", 1 << 20)
    run = write_run(published_config("janusdna-72"), seed=1, std=0.05)
    told = dataclasses.replace(TOLD, ids=TOLD.ids[:96])
    published(run, answer_in_float64(put(work.folder, run), told), told)
    stand_in = serve(dict(zip((f"weights/{CHECKPOINT}", f"weights/{CONFIG}"), run, strict=True)))
    result = work.run("models", "pull", "janusdna-72")
    assert result.exit_code == 0, result.output
    (said,) = (line for line in result.stderr.splitlines() if "known answer" in line)
    assert agreement(said.removeprefix("janusdna: janusdna-72: known answer: ")) < 1e-5
    assert stand_in.fetched() == [f"weights/{CHECKPOINT}", f"weights/{CONFIG}"]
    assert sorted(path.name for path in (cache / "janusdna-72").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    found = facts(work.run("models", "verify", "janusdna-72"))
    weights = sha256((cache / "janusdna-72" / "model.safetensors").read_bytes())
    assert found["weights"] == f"sha256:{weights}, as config.json says"
    assert found["source"] == f"weights/{CHECKPOINT}, sha256:{sha256(run[0])}, as published"
    assert agreement(found["known answer"]) < 1e-5
    (listed,) = (
        line for line in work.run("models", "list").stdout.splitlines() if line.startswith("janusdna-72 ")
    )
    assert f"  sha256, known answer  {cache / 'janusdna-72'}" in listed


@pytest.mark.parametrize("converted", [False, True])
def test_what_was_fetched_by_hand_is_verified_too(work, published, run, answer, converted):
    published(run, answer)
    model = put(work.folder, run).rename("last.ckpt")  # known by its sha256, however it is called
    (work.folder / CONFIG).rename("model_config.json")
    if converted:
        assert work.run("models", "convert", model, "-o", "mine", "-q").exit_code == 0
        model = "mine"
    found = facts(work.run("models", "verify", model))
    assert found["source"] == f"last.ckpt, sha256:{sha256(run[0])}, as published"
    assert agreement(found["known answer"]) < 1e-5
    assert ("config.json" in found["weights"]) == converted


@pytest.mark.parametrize(("place", "by"), [(0, 0.01), (71, -2e-4), (40, float("nan"))])
def test_another_answer_is_an_error(work, serve, published, run, answer, cache, place, by):
    wrong = answer.copy()
    wrong[place] += by
    published(run, wrong)
    serve(dict(zip((CHECKPOINT, CONFIG), run, strict=True)))
    by_hand = error(work.run("models", "verify", put(work.folder, run)))
    pulled = error(work.run("models", "pull", "janusdna-72", "-q"))
    assert not (cache / "janusdna-72" / "config.json").exists()
    assert not (cache / "janusdna-72" / "unverified").exists()
    for said in (by_hand, pulled):
        assert f"differs from its known answer by up to {abs(by):.1g}, " in said
        assert (
            f"expected 0.0001 at most: hidden value {place} of 0 to 71, mean of the first 9 positions" in said
        )
        assert f"is {answer[place]:.3g}"[:-1] in said
        assert f"expected {wrong[place]:.6g}; " in said
    assert pulled.startswith("janusdna-72: differs")


@pytest.mark.parametrize("wrong", [CHECKPOINT, CONFIG])
def test_a_file_that_is_not_the_published_one_is_refused(work, serve, published, run, answer, cache, wrong):
    expected = CHECKSUMS[wrong]
    published(run, answer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CHECKSUMS, wrong, expected)
        files = dict(zip((CHECKPOINT, CONFIG), run, strict=True))
        stand_in = serve(files)
        said = error(work.run("models", "pull", "janusdna-72", "-q"))
    assert said.startswith(f"{wrong}: SHA256 hash of downloaded file ({wrong}) does not match")
    assert f"expected {expected} but got {sha256(files[wrong])}" in said
    assert stand_in.fetched().count(wrong) == 1
    assert not (cache / "janusdna-72" / "config.json").exists()
    assert not list((cache / "janusdna-72" / "download").glob(f"{wrong}*"))


def test_a_file_that_only_is_called_as_the_published_one(work, run, cache):
    model = put(work.folder, run)
    assert work.run("models", "convert", model, "-o", "mine", "-q").exit_code == 0
    assert error(work.run("models", "verify", "mine")) == (
        f"mine: comes from a {CHECKPOINT} with sha256:{sha256(run[0])}, expected {CHECKSUMS[CHECKPOINT]}: "
        "not the published file; fetch that with: janusdna models pull NAME --overwrite"
    )
    assert "sha256, known answer" in work.run("models", "list").stdout  # of what is not here


def test_a_download_that_breaks_off_is_said_and_goes_on(work, serve, published, run, answer):
    published(run, answer)
    stand_in = serve(dict(zip((CHECKPOINT, CONFIG), run, strict=True)))
    stand_in.breaks = [1000] * 4
    said = error(work.run("models", "pull", "janusdna-72", "-q"))
    assert f"broke off, after 4,000 of {len(run[0]):,} bytes, which are kept: run it again to go on; " in said
    assert work.run("models", "pull", "janusdna-72", "-q").exit_code == 0
    assert stand_in.fetched()[4:] == [f"{CHECKPOINT} bytes=4000-", CONFIG]


def test_a_model_without_a_known_answer(work, serve, loose, cache):
    serve(loose)
    assert work.run("models", "pull", "janusdna-32-published", "-q").exit_code == 0
    found = facts(work.run("models", "verify", "janusdna-32-published"))
    digest = sha256(loose["32_without_midattn.ckpt"])
    assert found["source"] == f"32_without_midattn.ckpt, sha256:{digest}; what it must be is not known"
    assert found["known answer"] == "none is known of this model"


def test_the_bundled_model(work):
    found = facts(work.run("models", "verify", "janusdna-32"))
    assert found["weights"].endswith(", as config.json says")
    assert found["source"] == "no published file is named"
    assert found["known answer"] == "none is known of this model"


def test_weights_that_are_damaged(work, published, run, answer):
    published(run, answer)
    assert work.run("models", "convert", put(work.folder, run), "-o", "mine", "-q").exit_code == 0
    weights = work.folder / "mine" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    said = error(work.run("models", "verify", "mine"))
    assert said.startswith(f"mine/model.safetensors: sha256 is {sha256(content)[:12]}..., config.json says ")


def test_what_was_not_pulled(work, cache):
    assert error(work.run("models", "verify", "janusdna-72")) == (
        "janusdna-72: its weights are not here; fetch them once with: janusdna models pull janusdna-72"
    )
