"""The compiled passes over rows against the plain operations in float64."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from janusdna.ops import backends, reference
from janusdna.ops.cpu import row_mixture, rows
from janusdna.ops.cpu.processor import multiplies_bfloat16
from janusdna.ops.cpu.tiles import WIDE

from ..closeness import assert_as_close, distance

EPS = 1e-6
# Widths that fill registers and that do not, in pairs and not; a row alone, a part of a tile, several tiles.
WIDTHS = (5, 16, 20, 72)
COUNTS = (1, WIDE - 1, 3 * WIDE + 5)
PAIRS = pytest.mark.skipif(not multiplies_bfloat16(), reason="this CPU does not multiply pairs of bfloat16")
# Of bfloat16, relative, in a sum of products of two rounded factors, some of them several times.
_COARSE = 0.03

Passes = Callable[..., Any]


def _draw(*shape: int) -> Tensor:
    return torch.randn(*shape) / shape[-1] ** 0.5


def _norm(width: int) -> Tensor:
    return torch.rand(width) + 0.5


def _operands(name: str, width: int, count: int) -> tuple[Any, ...]:
    """Of a pass, for rows of so many values; the inner sizes are odd where the width is."""
    torch.manual_seed(width * count)
    inner, wider, rank = 2 * width, 3 * width, -(-width // 16)
    h = torch.randn(2, count, width)
    return {
        "project": (h, _norm(width), EPS, _draw(inner, width), _draw(width + 3, width)),
        "scan_operands": (
            torch.randn(2, count, inner),
            _draw(rank + 32, inner),
            (_norm(rank), _norm(16), _norm(16)),
            EPS,
            _draw(inner, rank),
            torch.randn(inner),
        ),
        "add_product": (h, torch.randn(2, count, wider), _draw(width, wider)),
        "add_swiglu": (h, _norm(width), EPS, _draw(2 * wider, width), _draw(width, wider)),
        "add_mixture": (
            h,
            _norm(width),
            EPS,
            4 * _draw(5, width),
            _draw(5, 2 * wider, width),
            _draw(5, width, wider),
            2,
        ),
    }[name]


def _cast(operands: Any, dtype: torch.dtype, but: int = -1) -> Any:
    """All tensors but operand number `but`."""
    if isinstance(operands, Tensor):
        return operands.to(dtype)
    if isinstance(operands, tuple):
        return tuple(o if i == but else _cast(o, dtype) for i, o in enumerate(operands))
    return operands


def _outputs(found: Any) -> dict[str, Tensor]:
    parts = found if isinstance(found, tuple) else (found,)
    return {str(i): part for i, part in enumerate(parts) if part.is_floating_point()}


KERNELS = {
    "project": rows.project,
    "scan_operands": rows.scan_operands,
    "add_product": rows.add_product,
    "add_swiglu": rows.add_swiglu,
    "add_mixture": row_mixture.add_mixture,
}


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", KERNELS)
def test_float32(name: str, width: int, count: int) -> None:
    operands, plain = _operands(name, width, count), getattr(reference, name)
    with torch.no_grad():
        found = KERNELS[name](*operands)
        exact = plain(*_cast(operands, torch.float64))
        assert_as_close(_outputs(found), _outputs(plain(*operands)), _outputs(exact), floor=3e-6)
    if name == "add_mixture":
        assert torch.equal(found[2], exact[2])


@PAIRS
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", KERNELS)
def test_bfloat16_weights(name: str, width: int) -> None:
    """The residual stream stays float32: only rounding of the factors of products is seen."""
    stream = -1 if name == "scan_operands" else 0
    operands = _cast(_operands(name, width, 40), torch.bfloat16, but=stream)
    with torch.no_grad():
        found = _outputs(KERNELS[name](*operands))
        exact = _outputs(getattr(reference, name)(*_cast(operands, torch.float64)))
    for part, truth in exact.items():
        if name == "add_mixture":  # of tokens whose experts are nearly tied others are chosen
            off = (found[part] - truth).flatten(0, -2).abs().amax(-1) > _COARSE * truth.abs().max()
            assert off.float().mean() < 0.05
        else:
            assert distance(found[part], truth) < _COARSE, part


@pytest.mark.parametrize("name", KERNELS)
def test_threads_and_neighbours_change_nothing(name: str) -> None:
    """A row comes to the same bits wherever it stands, among whichever others, by however many threads."""
    operands, kernel = _operands(name, 20, 9 * WIDE + 3), KERNELS[name]
    threads = torch.get_num_threads()
    try:
        with torch.no_grad():
            torch.set_num_threads(1)
            alone = _outputs(kernel(*operands))
            torch.set_num_threads(4)
            shared = _outputs(kernel(*operands))
            rows_only = [o[:, 7:50] if i < 2 and isinstance(o, Tensor) and o.ndim == 3 else o for i, o in
                         enumerate(operands)]  # fmt: skip
            some = _outputs(kernel(*rows_only))
    finally:
        torch.set_num_threads(threads)
    for part, whole in alone.items():
        assert torch.equal(whole, shared[part])
        assert torch.equal(whole.reshape(2, -1, whole.shape[-1])[:, 7:50], some[part].reshape(2, 43, -1))


def test_of_equal_experts_the_first_are_chosen() -> None:
    h, norm, eps, router, into, out_of, chosen = _operands("add_mixture", 16, 10)
    with torch.no_grad():
        found = row_mixture.add_mixture(h, norm, eps, torch.zeros_like(router), into, out_of, chosen)
    assert found[2].tolist() == [[0, 1]] * 20
    torch.testing.assert_close(found[1], torch.full((20, 5), 0.2))


def test_where_one_expert_is_nearly_certain() -> None:
    """The others' probabilities round to equal ones; their logits still tell which is the next best."""
    h, norm, eps, _, into, out_of, chosen = _operands("add_mixture", 16, 10)
    h = h.abs() + 1
    router = torch.cat([torch.full((1, 16), 9.0), -9 + 1e-3 * torch.randn(4, 16)])
    operands = h, norm, eps, router, into, out_of, chosen
    exact = reference.add_mixture(*_cast(operands, torch.float64))
    assert reference.add_mixture(*operands)[1][:, 1:].unique().numel() < 4 * 20
    with torch.no_grad():
        for found in (row_mixture.add_mixture(*operands), reference.add_mixture(*operands)):
            assert torch.equal(found[2], exact[2])


def test_an_expert_that_nobody_visits() -> None:
    h, norm, eps, router, into, out_of, _ = _operands("add_mixture", 16, 10)
    router = router[0] * torch.tensor([1.0, -1, -2, -3, -4])[:, None]
    with torch.no_grad():
        found = row_mixture.add_mixture(h, norm, eps, router, into, out_of, 1)
    exact = reference.add_mixture(*_cast((h, norm, eps, router, into, out_of, 1), torch.float64))
    assert found[2].unique().tolist() == [0, 4]
    assert distance(found[0], exact[0]) < 1e-5


def test_what_is_not_a_number_stays_in_its_row() -> None:
    h, *rest = _operands("add_swiglu", 20, WIDE)
    h[0, 3] = float("nan")
    with torch.no_grad():
        found = rows.add_swiglu(h, *rest)
    assert found[0, 3].isnan().all()
    found[0, 3] = 0
    assert found.isfinite().all()


def test_when_they_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(dtype: torch.dtype) -> bool:
        return backends.choose_kernels(torch.device("cpu"), dtype, states=16).layers is not None

    assert chosen(torch.float32)
    assert not chosen(torch.float64)
    for amx, pairs in ((False, False), (False, True), (True, True)):
        monkeypatch.setattr("janusdna.ops.backends._has_amx", lambda amx=amx: amx)
        monkeypatch.setattr("janusdna.ops.cpu.processor.multiplies_bfloat16", lambda pairs=pairs: pairs)
        assert chosen(torch.bfloat16) == (pairs and not amx)


def test_with_a_gradient_operations_run_one_by_one() -> None:
    kernels = backends.choose_kernels(torch.device("cpu"), torch.float32, states=16)
    with torch.no_grad():
        assert kernels.passes is kernels.layers
    assert kernels.passes is None
