"""The compiled Mamba mixer against the plain operations in float64."""

from typing import Any

import pytest
import torch
from torch import Tensor

from janusdna.ops import reference
from janusdna.ops.cpu import mamba as mamba_cpu
from janusdna.ops.cpu.processor import multiplies_bfloat16
from janusdna.ops.reference import MambaWeights, moved_tail

from ..closeness import assert_as_close, distance

EPS = 1e-6
EXACT = ("eps", "decay", "skip")
PAIRS = pytest.mark.skipif(not multiplies_bfloat16(), reason="this CPU does not multiply pairs of bfloat16")


def _draw(*shape: int) -> Tensor:
    return torch.randn(*shape) / shape[-1] ** 0.5


def _weights(width: int, taps: int) -> MambaWeights:
    inner, rank = 2 * width, -(-width // 16)
    return MambaWeights(
        into=_draw(inner, width),
        gate=_draw(inner, width),
        taps=2 * _draw(inner, taps),
        bias=0.1 * torch.randn(inner),
        operands=_draw(rank + 32, inner),
        norms=(torch.rand(rank) + 0.5, torch.rand(16) + 0.5, torch.rand(16) + 0.5),
        eps=EPS,
        step=_draw(inner, rank),
        step_bias=torch.randn(inner) - 2,
        decay=-8 * torch.rand(inner, 16),
        skip=torch.randn(inner),
        out_of=_draw(width, inner),
    )


def _cast(weights: MambaWeights, dtype: torch.dtype, exact: torch.dtype) -> MambaWeights:
    def cast(name: str, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(part.to(dtype) for part in value)
        return value if name == "eps" else value.to(exact if name in EXACT else dtype)

    return MambaWeights(**{name: cast(name, value) for name, value in weights._asdict().items()})


def _operands(width: int, length: int, taps: int, batch: int = 3) -> tuple[Any, ...]:
    torch.manual_seed(width * length)
    weights = _weights(width, taps)
    tail, ssm = torch.randn(batch, taps - 1, 2 * width), torch.randn(batch, 2 * width, 16)
    return torch.randn(batch, length, width), torch.rand(width) + 0.5, EPS, weights, tail, ssm


def _double(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    h, norm, eps, weights, tail, ssm = operands
    exact = _cast(weights, torch.float64, torch.float64)
    return h.double(), norm.double(), eps, exact, tail.double(), ssm.double()


def _named(found: tuple[Tensor, ...]) -> dict[str, Tensor]:
    return dict(zip(("rows", "tail", "state"), found, strict=True))


@pytest.fixture
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# A part of a tile, fewer rows than the convolution looks back, several blocks of a ragged last one.
@pytest.mark.parametrize(("width", "length", "taps"), [(20, 33, 4), (16, 2, 4), (5, 40, 2), (72, 999, 4)])
@pytest.mark.parametrize("reverse", [False, True])
def test_float32(width: int, length: int, taps: int, reverse: bool, one_thread: None) -> None:
    operands = _operands(width, length, taps)
    with torch.no_grad():
        found = _named(mamba_cpu.add_mamba(*operands, reverse=reverse))
        plain = _named(reference.add_mamba(*operands, reverse=reverse))
        exact = _named(reference.add_mamba(*_double(operands), reverse=reverse))
    assert_as_close(found, plain, exact, floor=3e-6)


@PAIRS
@pytest.mark.parametrize("reverse", [False, True])
def test_bfloat16_weights(reverse: bool, one_thread: None) -> None:
    h, norm, eps, weights, tail, ssm = _operands(20, 300, 4)
    coarse = _cast(weights, torch.bfloat16, torch.float32)
    operands = h, norm.bfloat16(), eps, coarse, tail.bfloat16(), ssm
    with torch.no_grad():
        found = _named(mamba_cpu.add_mamba(*operands, reverse=reverse))
        exact = _named(reference.add_mamba(*_double(operands), reverse=reverse))
    assert found["tail"].dtype == torch.bfloat16
    for name, truth in exact.items():
        assert distance(found[name].double(), truth) < 0.03, name


@pytest.mark.parametrize("reverse", [False, True])
def test_threads_change_nothing(reverse: bool, one_thread: None) -> None:
    """A thread for each sequence, or all of them at each operation."""
    operands = _operands(20, 300, 4)
    with torch.no_grad():
        alone = mamba_cpu.add_mamba(*operands, reverse=reverse)
        torch.set_num_threads(3)
        each = mamba_cpu.add_mamba(*operands, reverse=reverse)
        torch.set_num_threads(8)
        shared = mamba_cpu.add_mamba(*operands, reverse=reverse)
    for part in range(3):
        assert torch.equal(alone[part], each[part])
        assert torch.equal(alone[part], shared[part])


@pytest.mark.parametrize("reverse", [False, True])
def test_it_goes_on_where_it_stood(reverse: bool, one_thread: None) -> None:
    """In chunks, also of fewer rows than the convolution sees, to the same bits; nothing is written to."""
    h, norm, eps, weights, tail, ssm = _operands(20, 90, 4)
    before = tail.clone(), ssm.clone()
    with torch.no_grad():
        whole = mamba_cpu.add_mamba(h, norm, eps, weights, tail, ssm, reverse=reverse)
        assert torch.equal(tail, before[0])
        assert torch.equal(ssm, before[1])
        parts = list(h.split([48, 2, 40], dim=1))
        found = []
        for part in reversed(parts) if reverse else parts:
            rows, tail, ssm = mamba_cpu.add_mamba(part, norm, eps, weights, tail, ssm, reverse=reverse)
            found.append(rows)
    assert torch.equal(torch.cat(found[::-1] if reverse else found, dim=1), whole[0])
    assert torch.equal(tail, whole[1])
    assert torch.equal(ssm, whole[2])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("length", "kept"), [(5, 3), (2, 3), (1, 3), (4, 0)])
def test_the_tail_is_what_the_next_chunk_sees(length: int, kept: int, reverse: bool) -> None:
    x, tail = torch.randn(2, length, 6), torch.randn(2, kept, 6)
    joined = torch.cat((x, tail) if reverse else (tail, x), dim=1)
    expected = joined[:, :kept] if reverse else joined[:, joined.shape[1] - kept :]
    assert torch.equal(moved_tail(x, tail, reverse), expected)
