"""Small networks whose numbers depend on no processor; Triton kernels with or without a GPU."""

import importlib
import os
from collections.abc import Callable
from typing import Any

import pytest
import torch

from janusdna import ModelConfig
from janusdna.nn.model import JanusDNA
from janusdna.ops.backends import REFERENCE, Kernels, choose_kernels

from ..networks import WIDTH, draw_weights

CPU = torch.device("cpu")
TRITON_DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

if TRITON_DEVICE == "cpu":
    # Read when a kernel is defined: from here on Triton's interpreter runs them.
    os.environ["TRITON_INTERPRET"] = "1"


def triton_operation(module: str, function: str) -> Callable[..., Any]:
    """An operation of a Triton module on tensors of the CPU: by the interpreter, or on a GPU and back."""
    pytest.importorskip("triton")
    operation = getattr(importlib.import_module(f"janusdna.ops.triton.{module}"), function)

    def moved(value: object, device: str) -> Any:
        if isinstance(value, tuple):
            return tuple(moved(part, device) for part in value)
        return value.to(device) if isinstance(value, torch.Tensor) else value

    def run(*args: object, **options: object) -> Any:
        found = operation(*moved(args, TRITON_DEVICE), **options)
        return moved(found, "cpu")

    return run


@pytest.fixture(autouse=True)
def _same_numbers_in_any_order() -> None:
    torch.manual_seed(0)


@pytest.fixture
def triton() -> Callable[[str, str], Callable[..., Any]]:
    return triton_operation


def small_config(**changes: object) -> ModelConfig:
    sizes: dict[str, object] = {
        "hidden_size": WIDTH,
        "num_layers": 4,
        "intermediate_size": 24,
        "fusion_scale_width": 32,
        "num_experts": 4,
        "expert_layers": (1, 3),
        "attention_layers": (2,),
    }
    return ModelConfig.from_dict(sizes | changes)


@pytest.fixture
def make_network() -> Callable[..., JanusDNA]:
    def make(kernels: Kernels = REFERENCE, seed: int = 0, **changes: object) -> JanusDNA:
        network = JanusDNA(small_config(**changes), kernels)
        draw_weights(network, seed)
        return network.eval()

    return make


@pytest.fixture
def cpu_kernels() -> Kernels:
    return choose_kernels(CPU, torch.float32, states=16)


@pytest.fixture
def random_ids() -> Callable[[int, int], torch.Tensor]:
    def draw(batch: int, length: int) -> torch.Tensor:
        return torch.randint(7, 11, (batch, length), generator=torch.Generator().manual_seed(length))

    return draw
