"""The public reader: what it takes and what it refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import janusdna
from janusdna import BackendError, CheckpointError, SequenceError
from janusdna.checkpoint import Checkpoint, save
from janusdna.nn.model import JanusDNA
from janusdna.reader import Model

from ..networks import WIDTH


@pytest.fixture
def directory(make_network: Callable[..., JanusDNA], tmp_path: Path) -> Path:
    network = make_network()
    tensors = {name: parameter.detach() for name, parameter in network.named_parameters()}
    save(Checkpoint("small", network.config, tensors, ""), tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def model(directory: Path) -> Model:
    return janusdna.load(directory, device="cpu")


def test_strings_ids_and_bytes_are_the_same(model: Model) -> None:
    strings = model.read(["ACGTNACG", "TTTTacgt"])
    ids = torch.tensor([[7, 8, 9, 10, 4, 7, 8, 9], [10, 10, 10, 10, 7, 8, 9, 10]])
    assert torch.equal(strings.logits, model.read(ids).logits)
    assert torch.equal(strings.logits, model.read([b"ACGTNACG", b"TTTTACGT"]).logits)
    assert strings.hidden.shape == (2, 8, WIDTH)
    assert strings.logits.shape == (2, 8, 16)


def test_targets(model: Model) -> None:
    everything = model.read(["ACGTACGTAC"])
    some = model.read(["ACGTACGTAC"], torch.tensor([[9, 0, 4, 4]]))
    torch.testing.assert_close(some.logits, everything.logits[:, [9, 0, 4, 4]], atol=1e-5, rtol=1e-5)


def test_it_matches_the_network_in_float64(directory: Path, make_network: Callable[..., JanusDNA]) -> None:
    ids = torch.randint(7, 11, (1, 40))
    exact = make_network().cast(torch.float64)(ids).logits
    found = janusdna.load(directory, device="cpu", dtype="float64").read(ids).logits
    torch.testing.assert_close(found, exact.detach(), atol=1e-12, rtol=0)


def test_info(model: Model) -> None:
    assert model.info.name == "small"
    assert len(model.info.sha256) == 64
    operations = ("scan", "conv", "norm", "swiglu", "mixture", "fusion", "attention", "layers", "gated")
    assert model.info.kernels == dict.fromkeys(operations, "numba")
    assert (model.info.device, model.info.dtype) == ("cpu", "float32")
    assert model.info.slow_because is None
    assert model.bytes_per_base == model.config.hidden_size * 4


@pytest.mark.parametrize("by", ["AMX", "AVX-512 BF16", None])
def test_what_makes_it_slow(directory: Path, monkeypatch: pytest.MonkeyPatch, by: str | None) -> None:
    monkeypatch.setattr("janusdna.reader.fast_bfloat16", lambda: by)
    reason = janusdna.load(directory, device="cpu", dtype="bfloat16").info.slow_because
    assert (reason is None) if by else (reason is not None and "AMX" in reason)


@pytest.mark.parametrize(
    ("sequences", "targets", "message"),
    [
        (["ACGT", "ACG"], None, r"lengths \[3, 4\]"),
        (["AC"], None, "has 2 bases"),
        ("ACGT", None, "one string was given"),
        ([], None, r"lengths \[\]"),
        (["ACZT"], None, "position 2 is 'Z'"),
        (["ACGT"], torch.tensor([[4]]), "reach from 4 to 4: expected 0 to 3"),
        (["ACGT"], torch.tensor([[-1]]), "reach from -1"),
        (["ACGT"], torch.tensor([1]), r"\(1,\): expected integers \(1, n\)"),
        (torch.tensor([[7, 99, 8]]), None, "reach from 7 to 99: expected 0 to 15"),
        (torch.zeros(2, 3), None, "expected integers"),
    ],
)
def test_what_it_refuses(model: Model, sequences: object, targets: object, message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        model.read(sequences, targets)  # type: ignore[arg-type]


def test_devices_and_dtypes_that_are_not_there(directory: Path) -> None:
    with pytest.raises(BackendError, match="gpu"):
        janusdna.load(directory, device="gpu")
    with pytest.raises(BackendError, match="float8"):
        janusdna.load(directory, device="cpu", dtype="float8")
    if not torch.cuda.is_available():
        with pytest.raises(BackendError, match="no CUDA GPU here"):
            janusdna.load(directory, device="cuda:1")


def test_no_such_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file or directory"):
        janusdna.load(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="neither"):
        janusdna.load(tmp_path)


def test_threads_do_not_change_scores(directory: Path) -> None:
    ids, before = torch.randint(7, 11, (2, 300)), torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            results.append(janusdna.load(directory, device="cpu").read(ids).logits)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], atol=1e-5, rtol=0)
