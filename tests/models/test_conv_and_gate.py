"""The Numba convolution and gate against the plain ones in float64."""

import pytest
import torch
from torch.nn import functional

from janusdna.ops import conv_cpu, reference, swiglu_cpu


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("with_edge", [False, True])
@pytest.mark.parametrize("length", [1, 2, 3, 65, 200])
def test_conv_values_and_gradients(length: int, with_edge: bool, reverse: bool) -> None:
    torch.manual_seed(length)
    values = [torch.randn(2, length, 9), torch.randn(9, 4), torch.randn(9)]
    values += [torch.randn(2, 3, 9)] if with_edge else []
    fast = [value.clone().requires_grad_() for value in values]
    exact = [value.double().requires_grad_() for value in values]
    found = conv_cpu.conv_silu(*fast, reverse=reverse)
    expected = reference.conv_silu(*exact, reverse=reverse)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        assert torch.equal(conv_cpu.conv_silu(*fast, reverse=reverse), found)
    weight = torch.randn_like(found)
    found.backward(weight)
    expected.backward(weight.double())
    for one, other in zip(fast, exact, strict=True):
        assert one.grad is not None
        torch.testing.assert_close(one.grad.double(), other.grad, atol=1e-5, rtol=1e-5)


def test_reference_conv_is_torch_conv1d() -> None:
    x, weight, bias = torch.randn(2, 20, 5), torch.randn(5, 4), torch.randn(5)
    padded = functional.pad(x.transpose(1, 2), (3, 0))
    expected = functional.silu(functional.conv1d(padded, weight[:, None], bias, groups=5)).transpose(1, 2)
    torch.testing.assert_close(reference.conv_silu(x, weight, bias), expected)


def test_reverse_is_the_mirror_image() -> None:
    x, weight, bias = torch.randn(1, 11, 4), torch.randn(4, 4), torch.randn(4)
    mirrored = reference.conv_silu(x.flip(1), weight, bias).flip(1)
    torch.testing.assert_close(reference.conv_silu(x, weight, bias, reverse=True), mirrored)


@pytest.mark.parametrize("shape", [(0, 10), (1, 2), (3, 7, 46), (300, 576)])
def test_swiglu(shape: tuple[int, ...]) -> None:
    rows = 3 * torch.randn(*shape)
    with torch.no_grad():
        found = swiglu_cpu.swiglu(rows)
    gate, up = rows.double().chunk(2, dim=-1)
    torch.testing.assert_close(found.double(), gate * torch.sigmoid(gate) * up, atol=1e-6, rtol=1e-6)
