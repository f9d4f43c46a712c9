"""The adapters of mamba-ssm and causal-conv1d, with stand-ins of the packages' documented functions.

The packages need a GPU; what is tested is what the adapters add: layout, reverse time, the initial
state's correction, the split below 2^32 elements.
"""

import importlib
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from janusdna import BackendError
from janusdna.ops import backends, reference
from janusdna.ops.backends import Kernels


def _selective_scan_fn(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor,
    z: Tensor, delta_softplus: bool, return_last_state: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """By mamba-ssm's documentation: u, delta, z (B, D, L), B and C (B, N, L), from a zero state."""
    assert delta_softplus
    assert return_last_state
    assert all(operand.is_contiguous() for operand in (u, delta, B, C, z))
    delta = functional.softplus(delta)
    state = torch.zeros(u.shape[0], *A.shape, dtype=u.dtype)
    outputs = []
    for t in range(u.shape[2]):
        state = torch.exp(delta[:, :, t, None] * A) * state + (delta * u)[:, :, t, None] * B[:, None, :, t]
        outputs.append((state * C[:, None, :, t]).sum(-1) + D * u[:, :, t])
    return torch.stack(outputs, dim=2) * functional.silu(z), state


def _causal_conv1d_fn(x: Tensor, weight: Tensor, bias: Tensor, activation: str) -> Tensor:
    assert activation == "silu"
    padded = functional.pad(x, (weight.shape[1] - 1, 0))
    return functional.silu(functional.conv1d(padded, weight[:, None], bias, groups=x.shape[1]))


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    interface = ModuleType("mamba_ssm.ops.selective_scan_interface")
    interface.selective_scan_fn = _selective_scan_fn  # type: ignore[attr-defined]
    conv = ModuleType("causal_conv1d")
    conv.causal_conv1d_fn = _causal_conv1d_fn  # type: ignore[attr-defined]
    names = {
        "mamba_ssm": ModuleType("mamba_ssm"),
        "mamba_ssm.ops": ModuleType("mamba_ssm.ops"),
        "mamba_ssm.ops.selective_scan_interface": interface,
        "causal_conv1d": conv,
    }
    for name, module in names.items():
        monkeypatch.setitem(sys.modules, name, module)
    yield
    for name in ("mamba_ssm", "causal_conv1d"):
        sys.modules.pop(f"janusdna.ops.{name}", None)


def _operands() -> list[Tensor]:
    torch.manual_seed(0)
    wide, narrow = (5, 13, 6), (5, 13, 16)
    return [
        torch.randn(*wide),
        torch.randn(*wide),
        -torch.rand(6, 16),
        torch.randn(*narrow),
        torch.randn(*narrow),
        torch.randn(6),
        torch.randn(*wide),
    ]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("limit", [1 << 32, 200])
def test_mamba_ssm(
    stand_ins: None, monkeypatch: pytest.MonkeyPatch, with_state: bool, reverse: bool, limit: int
) -> None:
    adapter = importlib.import_module("janusdna.ops.optional.mamba_ssm")
    monkeypatch.setattr(adapter, "_INDEX_LIMIT", limit)
    values = _operands()
    state = torch.randn(5, 6, 16) if with_state else None
    found = adapter.selective_scan(*values, state, reverse=reverse)
    exact = [value.double() for value in values]
    expected = reference.selective_scan(*exact, None if state is None else state.double(), reverse=reverse)
    for part, truth in zip(found, expected, strict=True):
        assert (part - truth).abs().max() <= 1e-4


def test_no_call_reaches_the_index_limit(stand_ins: None, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = importlib.import_module("janusdna.ops.optional.mamba_ssm")
    sizes: list[int] = []

    def counting(u: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        sizes.append(u.numel())
        return _selective_scan_fn(u, *args, **kwargs)

    monkeypatch.setattr(adapter, "selective_scan_fn", counting)
    monkeypatch.setattr(adapter, "_INDEX_LIMIT", 2 * 13 * 6 + 1)
    adapter.selective_scan(*_operands())
    assert sizes == [156, 156, 78]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("with_edge", [False, True])
@pytest.mark.parametrize("limit", [1 << 32, 50])
def test_causal_conv1d(
    stand_ins: None, monkeypatch: pytest.MonkeyPatch, with_edge: bool, reverse: bool, limit: int
) -> None:
    adapter = importlib.import_module("janusdna.ops.optional.causal_conv1d")
    monkeypatch.setattr(adapter, "_INDEX_LIMIT", limit)
    x, weight, bias = torch.randn(2, 9, 5), torch.randn(5, 4), torch.randn(5)
    before = torch.randn(2, 3, 5) if with_edge else None
    found = adapter.conv_silu(x, weight, bias, before, reverse=reverse)
    torch.testing.assert_close(found, reference.conv_silu(x, weight, bias, before, reverse=reverse))


CUDA = torch.device("cuda")


def choose(dtype: torch.dtype = torch.bfloat16, preference: str = "auto", states: int = 16) -> Kernels:
    return backends.choose_kernels(CUDA, dtype, states=states, preference=preference)


def absent(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """What is looked for is not installed."""

    def find(name: str) -> object:
        return None if name in modules else find_spec(name)

    monkeypatch.setattr(backends, "find_spec", find)


def test_cuda_takes_triton_where_mamba_ssm_is_missing() -> None:
    pytest.importorskip("triton")
    kernels = choose()
    assert kernels.names == {
        "scan": "triton",
        "conv": "triton",
        "norm": "triton",
        "swiglu": "triton",
        "mixture": "grouped",
        "fusion": "four-flash",
        "attention": "pytorch",
        "targets": "triton",
    }
    assert kernels.reasons["scan"] == "mamba-ssm is not installed; the device is CUDA"
    assert kernels.capturable
    assert choose(torch.float32).reasons["mixture"] == "grouped products on a GPU are for bfloat16"
    assert not choose(torch.float32).capturable
    assert set(choose(torch.float64).names.values()) == {"reference", "pytorch"}


def test_cuda_without_triton_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    absent(monkeypatch, "triton", "mamba_ssm")
    kernels = choose()
    assert set(kernels.names.values()) == {"reference", "four-flash", "pytorch"}
    assert kernels.reasons["scan"].startswith("mamba-ssm is not installed; Triton is not installed")
    assert not kernels.capturable


def test_triton_without_a_compiler_is_launched_by_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton")
    monkeypatch.setattr("janusdna.ops.triton.launch.builds_a_launcher", lambda: False)
    kernels = choose()
    assert (kernels.names["scan"], kernels.names["norm"]) == ("triton", "triton")
    assert kernels.reasons["norm"].endswith("launched by the driver: Triton finds no C compiler and headers")


def test_an_old_triton_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton")
    monkeypatch.setattr(backends, "version", lambda package: "3.1.0")
    assert "Triton is 3.1.0: expected 3.3 or newer" in choose().reasons["scan"]


def test_installed_packages_come_first(stand_ins: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: name)
    names = choose().names
    assert (names["scan"], names["conv"]) == ("mamba-ssm", "causal-conv1d")
    asked = choose(preference="triton")
    assert (asked.names["scan"], asked.names["conv"]) == ("triton", "triton")
    assert asked.reasons["scan"] == "asked for"
    asked = choose(preference="mamba-ssm")
    assert (asked.names["scan"], asked.reasons["scan"]) == ("mamba-ssm", "asked for")


def test_what_was_asked_for_and_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    absent(monkeypatch, "triton", "mamba_ssm")
    with pytest.raises(BackendError, match=r"mamba-ssm is not installed; --kernels auto"):
        choose(preference="mamba-ssm")
    with pytest.raises(BackendError, match=r"kernels are triton: Triton is not installed"):
        choose(preference="triton")
    with pytest.raises(BackendError, match=r"triton, which needs a CUDA GPU, and the device is cpu"):
        backends.choose_kernels(torch.device("cpu"), torch.float32, states=16, preference="triton")
    with pytest.raises(BackendError, match=r"'numba': expected auto, triton, mamba-ssm, reference"):
        choose(preference="numba")


def test_an_odd_number_of_states_is_not_for_triton() -> None:
    pytest.importorskip("triton")
    assert "power of two, this model has N = 12" in choose(states=12).reasons["scan"]


def test_the_reference_can_be_asked_for_anywhere() -> None:
    for device in ("cpu", "cuda"):
        kernels = backends.choose_kernels(
            torch.device(device), torch.float32, states=16, preference="reference"
        )
        assert set(kernels.names.values()) == {"reference", "pytorch"}


def test_cpu_kernels_and_their_reasons() -> None:
    cpu = torch.device("cpu")
    assert backends.choose_kernels(cpu, torch.float32, states=16).names["scan"] == "numba"
    odd = backends.choose_kernels(cpu, torch.float32, states=8)
    assert odd.names["scan"] == "reference"
    assert "N = 8" in odd.reasons["scan"]
    assert backends.choose_kernels(cpu, torch.float64, states=16).names["conv"] == "reference"
