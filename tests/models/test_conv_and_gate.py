"""The Numba and Triton convolution, gate and norm against the plain ones in float64."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from janusdna.ops import reference
from janusdna.ops.cpu import conv as conv_cpu
from janusdna.ops.cpu import swiglu as swiglu_cpu

Operation = Callable[..., Any]
Triton = Callable[[str, str], Operation]


@pytest.fixture(params=["numba", "triton"])
def conv_silu(request: pytest.FixtureRequest, triton: Triton) -> Operation:
    return conv_cpu.conv_silu if request.param == "numba" else triton("conv", "conv_silu")


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("with_edge", [False, True])
@pytest.mark.parametrize("length", [1, 2, 3, 65, 200])
def test_conv_values_and_gradients(conv_silu: Operation, length: int, with_edge: bool, reverse: bool) -> None:
    torch.manual_seed(length)
    values = [torch.randn(2, length, 9), torch.randn(9, 4), torch.randn(9)]
    values += [torch.randn(2, 3, 9)] if with_edge else []
    fast = [value.clone().requires_grad_() for value in values]
    exact = [value.double().requires_grad_() for value in values]
    found = conv_silu(*fast, reverse=reverse)
    expected = reference.conv_silu(*exact, reverse=reverse)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        assert torch.equal(conv_silu(*fast, reverse=reverse), found)
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


def compare(fast: Operation, plain: Operation, values: list[torch.Tensor]) -> None:
    """Values and gradients, relative to the largest of each."""
    generator = torch.Generator().manual_seed(0)
    one = [value.clone().requires_grad_() for value in values]
    other = [value.double().requires_grad_() for value in values]
    found, expected = fast(*one), plain(*other)
    assert found.shape == expected.shape
    weight = torch.randn(found.shape, generator=generator)
    found.backward(weight)
    expected.backward(weight.double())
    for a, b in [(found, expected), *((x.grad, y.grad) for x, y in zip(one, other, strict=True))]:
        assert a is not None
        assert b is not None
        assert (a - b).abs().max() <= 1e-5 * b.abs().max()


@pytest.mark.parametrize("shape", [(1, 2), (3, 7, 46), (40, 144)])
def test_triton_swiglu_and_its_gradient(triton: Triton, shape: tuple[int, ...]) -> None:
    compare(triton("swiglu", "swiglu"), reference.swiglu, [3 * torch.randn(*shape)])


@pytest.mark.parametrize("shape", [(1, 1, 5), (2, 77, 32), (1, 130, 72)])
def test_triton_norm_and_its_gradient(triton: Triton, shape: tuple[int, ...]) -> None:
    norm = triton("norm", "rms_norm")
    compare(
        lambda x, weight: norm(x, weight, 1e-6),
        lambda x, weight: reference.rms_norm(x, weight, 1e-6),
        [3 * torch.randn(*shape), torch.randn(shape[-1])],
    )


def test_triton_norm_of_float32_rows_by_a_bfloat16_weight(triton: Triton) -> None:
    """Of rows that are not contiguous; the interpreter cuts bits off where a GPU rounds."""
    x, weight = torch.randn(2, 33, 20)[..., 3:19], torch.randn(16).bfloat16()
    found = triton("norm", "rms_norm")(x, weight, 1e-6)
    assert found.dtype == torch.bfloat16
    expected = reference.rms_norm(x, weight, 1e-6)
    assert ((found - expected).abs() <= 2**-6 * expected.abs()).all()


def test_triton_norm_sums_the_weights_gradient_over_all_programs(
    triton: Triton, monkeypatch: pytest.MonkeyPatch
) -> None:
    norm = triton("norm", "rms_norm")
    monkeypatch.setattr("janusdna.ops.triton.norm._VALUES", 64)
    monkeypatch.setattr("janusdna.ops.triton.norm._PROGRAMS_BACKWARD", 3)
    compare(
        lambda x, weight: norm(x, weight, 1e-6),
        lambda x, weight: reference.rms_norm(x, weight, 1e-6),
        [torch.randn(50, 9), torch.randn(9)],
    )
