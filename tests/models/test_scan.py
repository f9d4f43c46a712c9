"""The Numba and the Triton scan against the plain one in float64: values and every gradient."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from janusdna.ops import reference
from janusdna.ops.cpu import scan as scan_cpu

Scan = Callable[..., tuple[Tensor, Tensor]]
NAMES = ("x", "dt", "A", "B", "C", "D", "z", "initial_state")


def operands(batch: int, length: int, channels: int, seed: int = 0) -> list[Tensor]:
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g)

    return [
        normal(batch, length, channels),
        2 * normal(batch, length, channels) - 2,
        -8 * torch.rand(channels, 16, generator=g),
        normal(batch, length, 16),
        normal(batch, length, 16),
        normal(channels),
        normal(batch, length, channels),
        normal(batch, channels, 16),
    ]


@pytest.fixture(params=["numba", "triton"])
def scan(request: pytest.FixtureRequest, triton: Callable[[str, str], Any]) -> Scan:
    if request.param == "numba":
        return scan_cpu.selective_scan
    return triton("scan", "selective_scan")


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("batch", "length", "channels"), [(2, 1, 5), (1, 31, 8), (3, 67, 9), (1, 129, 40)])
def test_values_and_gradients(scan: Scan, batch: int, length: int, channels: int, reverse: bool) -> None:
    values = operands(batch, length, channels)
    fast = [value.clone().requires_grad_() for value in values]
    exact = [value.double().requires_grad_() for value in values]
    found = scan(*fast, reverse=reverse)
    expected = reference.selective_scan(*exact, reverse=reverse)
    weights = [torch.randn_like(part) for part in found]
    for part, truth in zip(found, expected, strict=True):
        assert (part - truth).abs().max() <= 1e-5 * max(1, truth.abs().max())
    torch.autograd.backward(found, weights)
    torch.autograd.backward(expected, [weight.double() for weight in weights])
    for name, one, other in zip(NAMES, fast, exact, strict=True):
        assert one.grad is not None
        assert other.grad is not None
        error = (one.grad - other.grad).abs().max() / other.grad.abs().max()
        assert error <= 1e-5, f"gradient of {name}: {error}"


@pytest.mark.parametrize("reverse", [False, True])
def test_state_carries_over_chunks(scan: Scan, reverse: bool) -> None:
    *rest, state = operands(2, 50, 12)
    x, dt, A, B, C, D, z = rest
    whole, last = scan(*rest, state, reverse=reverse)
    cuts = [slice(0, 7), slice(7, 8), slice(8, 50)]
    pieces = {}
    for cut in reversed(cuts) if reverse else cuts:
        pieces[cut.start], state = scan(
            x[:, cut], dt[:, cut], A, B[:, cut], C[:, cut], D, z[:, cut], state, reverse=reverse
        )
    torch.testing.assert_close(torch.cat([pieces[cut.start] for cut in cuts], dim=1), whole)
    torch.testing.assert_close(state, last)


def test_without_initial_state_it_starts_at_zero(scan: Scan) -> None:
    *rest, state = operands(1, 9, 8)
    started = scan(*rest, torch.zeros_like(state))[0]
    assert torch.equal(scan(*rest)[0], started)


def test_extreme_step_sizes_stay_finite(scan: Scan) -> None:
    values = operands(1, 20, 8)
    values[1] = torch.linspace(-90, 90, 160).view(1, 20, 8)
    found = scan(*values)[0]
    exact = reference.selective_scan(*(value.double() for value in values))[0]
    assert (found - exact).abs().max() <= 1e-5 * exact.abs().max()


def test_bfloat16_operands(scan: Scan) -> None:
    values = [value.bfloat16() for value in operands(1, 33, 16)]
    found = scan(*values)[0]
    exact = reference.selective_scan(*(value.double() for value in values))[0]
    assert found.dtype == torch.bfloat16
    assert (found - exact).abs().max() <= 2**-7 * exact.abs().max()
