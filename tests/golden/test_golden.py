"""The network against a second one, written in float64 from the paper: outputs, losses, every gradient."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from janusdna.checkpoint import build
from janusdna.nn.model import JanusDNA
from janusdna.objectives import Example
from janusdna.ops.backends import REFERENCE, Kernels, choose_kernels
from janusdna.pretraining import PretrainingLoss
from janusdna.reader import open_checkpoint
from janusdna.recipe import OBJECTIVES, Objective, Recipe
from janusdna.reference_checkpoint import rename
from janusdna.training import Trainer

from ..closeness import assert_as_close, distance
from .cases import CASES, LENGTHS, Case, draw_weights, draw_windows, sha256
from .make_golden import LONG, expected

HERE = Path(__file__).parent
CPU = choose_kernels(torch.device("cpu"), torch.float32, states=16)
Golden = Callable[[str], Path]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def kept(case: Case) -> dict[str, Tensor]:
    return load_file(HERE / f"{case.name}.safetensors")


@pytest.fixture
def network(case: Case, golden: Golden) -> Callable[[Kernels, torch.dtype], JanusDNA]:
    return lambda kernels, dtype: build(open_checkpoint(golden(case.name)), kernels).cast(dtype)


def test_weights_are_drawn_to_the_same_bits_everywhere(case: Case) -> None:
    facts = json.loads((HERE / "provenance.json").read_text())
    assert sha256(draw_weights(case)) == facts["cases"][case.name]["weights_sha256"]


def test_what_is_kept_is_what_the_script_makes(case: Case, kept: dict[str, Tensor]) -> None:
    made, _ = expected(case, LENGTHS[:2])
    for name, tensor in made.items():
        assert distance(kept[name], tensor) <= 1e-12, name


def outputs(network: JanusDNA, ids: Tensor) -> dict[str, Tensor]:
    with torch.inference_mode():
        prediction = network(ids)
    return {"logits": prediction.logits, "hidden": prediction.hidden}


@pytest.mark.parametrize("length", LENGTHS)
def test_logits_and_hidden_states(case: Case, kept: dict[str, Tensor], network, length: int) -> None:
    ids = draw_windows(case, length).ids
    exact = {name: kept[key] for name in ("logits", "hidden") if (key := f"T{length}.{name}") in kept}
    found = outputs(network(REFERENCE, torch.float64), ids)
    assert max(distance(found[name], tensor) for name, tensor in exact.items()) <= 1e-11
    plain, fast = (outputs(network(kernels, torch.float32), ids) for kernels in (REFERENCE, CPU))
    assert_as_close(fast, plain, exact, floor=2e-6)
    assert_as_close(plain, plain, exact)


def losses_and_gradients(
    network: JanusDNA, case: Case, length: int, objective: Objective
) -> dict[str, Tensor]:
    """By the path of training; a gradient's norm by the name that the authors give its parameter."""
    inputs, labels, weights = draw_windows(case, length).example(objective)
    example = Example(*(part.numpy() for part in (inputs.byte(), labels.byte(), weights.float())))
    loss = PretrainingLoss(network, objective, compute_dtype=network.head.weight.dtype)
    trainer = Trainer(loss, Recipe())
    report = trainer.evaluate([example])
    trainer.gradient([example])
    found = {"loss": report.loss, "aux": report.aux_loss}
    found |= {name: float(gradient_of(network, name).norm()) for name in draw_weights(case)}
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()}


def kept_losses_and_gradients(
    kept: dict[str, Tensor], case: Case, length: int, objective: Objective
) -> dict[str, Tensor]:
    loss, aux = kept[f"T{length}.{objective}.losses"]
    norms = zip(draw_weights(case), kept[f"T{length}.{objective}.gradients"], strict=True)
    return {"loss": loss, "aux": aux} | dict(norms)


WAYS = [(length, objective) for length in LENGTHS for objective in OBJECTIVES if length < LONG]
WAYS += [(LENGTHS[-1], "janus")]


def test_losses_and_gradients(case: Case, kept: dict[str, Tensor], network) -> None:
    """All ways at once: what is rounded badly in one is rounded well in another, by luck."""

    def in_all_ways(values: Callable[[int, Objective], dict[str, Tensor]]) -> dict[str, Tensor]:
        return {
            f"{objective}, {length}: {name}": value
            for length, objective in WAYS
            for name, value in values(length, objective).items()
        }

    def found(kernels: Kernels, dtype: torch.dtype) -> dict[str, Tensor]:
        return in_all_ways(lambda *way: losses_and_gradients(network(kernels, dtype), case, *way))

    exact = in_all_ways(lambda *way: kept_losses_and_gradients(kept, case, *way))
    precise = found(REFERENCE, torch.float64)
    for name, value in exact.items():
        assert distance(precise[name], value) <= 1e-10, name
    plain, fast = (found(kernels, torch.float32) for kernels in (REFERENCE, CPU))
    assert_as_close(fast, plain, exact, kind=kind_of)


def kind_of(name: str) -> str:
    """A parameter's name without the way, layer, expert and stream."""
    return re.sub(r"\d+", "", name.partition(": ")[2]).replace("_rev", "_fwd").replace("_bwd", "_fwd")


def gradient_of(network: JanusDNA, reference_name: str) -> Tensor:
    """Of the part of our parameter that the authors call so: one expert's, the gate's or the up rows."""
    name, expert = rename(reference_name), None
    if match := re.fullmatch(r"(.+)\.experts\.(\d+)\.(\w+)\.weight", name):
        name, expert = f"{match[1]}.{match[3]}", int(match[2])
    halves = [half for half, part in enumerate((".gate_proj", ".up_proj")) if part in name]
    parameter = network.get_parameter(re.sub(r"\.(gate|up)_proj", ".gate_up_proj", name))
    gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    if expert is not None:
        gradient = gradient[expert]
    return gradient.chunk(2)[halves[0]] if halves else gradient
