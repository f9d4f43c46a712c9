"""The compiled kernels' gradients: against the plain operations in float64, twice, and in two threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch
from torch import Tensor

from janusdna import objectives
from janusdna.nn.model import JanusDNA
from janusdna.ops import fusion, reference
from janusdna.ops.backends import Kernels, choose_kernels
from janusdna.ops.cpu import fusion as fusion_cpu
from janusdna.ops.cpu import gated as gated_cpu
from janusdna.ops.cpu import mixture as mixture_cpu
from janusdna.ops.cpu import norm as norm_cpu
from janusdna.ops.cpu import swiglu as swiglu_cpu

Operation = Callable[..., Tensor | tuple[Tensor, ...]]
SCALE = 0.31


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def values_and_gradients(operation: Operation, values: list[Tensor]) -> list[Tensor]:
    """What can be differentiated of the outputs, then the gradients of a weighted sum of it."""
    leaves = [value.clone().requires_grad_() for value in values]
    found = operation(*leaves)
    outputs = [out for out in (found if isinstance(found, tuple) else (found,)) if out.requires_grad]
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(out.shape, generator=generator, dtype=torch.float32) for out in outputs]
    torch.autograd.backward(outputs, [w.to(out.dtype) for w, out in zip(weights, outputs, strict=True)])
    assert all(leaf.grad is not None for leaf in leaves)
    return [*(out.detach() for out in outputs), *(leaf.grad for leaf in leaves)]


def compare(fast: Operation, plain: Operation, values: list[Tensor]) -> None:
    """Relative to the largest of each."""
    found = values_and_gradients(fast, values)
    expected = values_and_gradients(plain, [value.double() for value in values])
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max() <= 1e-5 * other.abs().max()


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("shape", [(1, 1, 5), (1, 16), (2, 77, 32), (3, 1500, 37)])
def test_norm(shape: tuple[int, ...]) -> None:
    values = [3 * torch.randn(*shape), torch.randn(shape[-1])]
    compare(partial(norm_cpu.rms_norm, eps=1e-6), partial(reference.rms_norm, eps=1e-6), values)


def test_norm_of_a_part_of_rows() -> None:
    rows, weight = torch.randn(3, 50, 34), torch.randn(16)
    for part in (slice(0, 2), slice(2, 18), slice(18, 34)):
        size = part.stop - part.start
        fast, plain = (
            lambda x, w, operation=operation, part=part, size=size: operation(x[..., part], w[:size], 1e-6)
            for operation in (norm_cpu.rms_norm, reference.rms_norm)
        )
        compare(fast, plain, [rows, weight])


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("shape", [(1, 2), (3, 7, 46), (1100, 144)])
def test_swiglu(shape: tuple[int, ...]) -> None:
    compare(swiglu_cpu.swiglu, reference.swiglu, [3 * torch.randn(*shape)])


def test_swiglu_of_no_rows() -> None:
    rows = torch.randn(0, 10, requires_grad=True)
    swiglu_cpu.swiglu(rows).sum().backward()
    assert rows.grad is not None
    assert rows.grad.shape == (0, 10)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("rows", "width", "inner"), [((1,), 5, 3), ((3, 11), 18, 10), ((700,), 32, 128)])
def test_gated(rows: tuple[int, ...], width: int, inner: int) -> None:
    matrices = torch.randn(2 * inner, width) / width**0.5, torch.randn(width, inner)
    compare(gated_cpu.gated, reference.gated, [torch.randn(*rows, width), *matrices])


def test_gated_of_no_rows_and_of_other_dtypes() -> None:
    into, out_of = torch.randn(6, 5, requires_grad=True), torch.randn(5, 3)
    gated_cpu.gated(torch.randn(0, 5), into, out_of).sum().backward()
    assert into.grad is not None
    x, exact = torch.randn(4, 5).double(), (into.double(), out_of.double())
    assert torch.equal(gated_cpu.gated(x, *exact), reference.gated(x, *exact))


def experts(tokens: int, count: int, width: int = 18, inner: int = 10) -> list[Tensor]:
    """Of a mixture, with a last expert that no token visits where one may stay idle."""
    logits = torch.randn(tokens, count)
    logits[:, -1] = -30
    matrices = torch.randn(count, 2 * inner, width), torch.randn(count, width, inner)
    return [torch.randn(tokens, width), logits, *matrices]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("tokens", "count", "chosen"), [(1, 4, 2), (33, 5, 1), (900, 16, 2), (64, 3, 3)])
def test_mixture(tokens: int, count: int, chosen: int) -> None:
    """Of the answer and of the probabilities, which a loss of their own pulls at."""
    fast, plain = (
        lambda *values, operation=operation: operation(*values, chosen)
        for operation in (mixture_cpu.mixture, reference.mixture)
    )
    compare(fast, plain, experts(tokens, count))


def test_an_expert_without_tokens_has_a_gradient_of_zeros() -> None:
    values = [value.requires_grad_() for value in experts(20, 4)]
    mixture_cpu.mixture(*values, 2)[0].square().sum().backward()
    for matrix in values[2:]:
        assert matrix.grad is not None
        assert torch.equal(matrix.grad[-1], torch.zeros_like(matrix[-1]))
        assert (matrix.grad[0] != 0).any()


def heads(batch: int, length: int, count: int, size: int) -> list[Tensor]:
    """Queries, keys and values as the projections give them, (B, H, 2T, c)."""
    rows = torch.randn(3, batch, 2 * length, count, size)
    return list((2 * rows).transpose(2, 3))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("batch", "length", "count", "size"),
    [(1, 3, 1, 3), (2, 5, 2, 8), (1, 16, 2, 8), (2, 37, 3, 18), (1, 65, 1, 36), (1, 1100, 1, 9)],
)
def test_fusion(batch: int, length: int, count: int, size: int) -> None:
    fast, plain = (
        partial(operation, scale=SCALE)
        for operation in (fusion_cpu.janus_attention, reference.janus_attention)
    )
    values = heads(batch, length, count, size)
    compare(fast, plain, values)
    with_gradient = values_and_gradients(fast, values)[0]
    with torch.no_grad():
        assert torch.equal(fast(*values), with_gradient)


def test_fusion_of_rows_that_lie_otherwise() -> None:
    values = [part.contiguous() for part in heads(2, 20, 2, 6)]
    for options in ({"scale": SCALE}, {"scale": 3.0}):
        compare(
            partial(fusion_cpu.janus_attention, **options),
            partial(reference.janus_attention, **options),
            values,
        )


def test_fusion_of_scores_far_apart() -> None:
    """Weights that float32 cannot hold, and the first keys of a row far below its last."""
    q, k, v = heads(1, 150, 2, 4)
    k[:, :, 150:] *= 30
    found = fusion_cpu.janus_attention(20 * q, k, v, 1.0)
    expected = reference.janus_attention(20 * q.double(), k.double(), v.double(), 1.0)
    assert (found - expected).abs().max() <= 1e-3 * expected.abs().max()


@pytest.mark.parametrize("hidden", [40, 60])
def test_what_a_row_does_not_see_changes_no_bit_of_it(hidden: int) -> None:
    """F_i sees nothing of F behind it, nor of R up to i + 1; R_j the mirror image; nor do gradients leak."""
    length, i = 100, 50
    q, k, v = (part.requires_grad_() for part in heads(1, length, 1, 8))
    found = fusion_cpu.janus_attention(q, k, v, SCALE)
    seen = reference.janus_mask(length)
    for row in (i, length + i):
        dk, dv = torch.autograd.grad(found[0, 0, row].sum(), (k, v), retain_graph=True)
        assert torch.equal((dv[0, 0] != 0).all(-1), seen[row])
        assert (dk[0, 0, ~seen[row]] == 0).all()
    changed = v.detach().clone()
    changed[0, 0, ~seen[hidden]] = 1e30
    assert torch.equal(fusion_cpu.janus_attention(q, k, changed, SCALE)[0, 0, hidden], found[0, 0, hidden])


def test_other_dtypes_are_the_plain_operations_business() -> None:
    values = [value.double() for value in experts(9, 3)]
    assert mixture_cpu.mixture(*values, 2)[0].dtype == torch.float64
    x = torch.randn(3, 10).double()
    assert torch.equal(norm_cpu.rms_norm(x, x[0], 1e-6), reference.rms_norm(x, x[0], 1e-6))
    assert torch.equal(swiglu_cpu.swiglu(x), reference.swiglu(x))
    q, k, v = (part.double() for part in heads(1, 5, 1, 4))
    expected = fusion.janus_attention(q, k, v, SCALE)
    assert torch.equal(fusion_cpu.janus_attention(q, k, v, SCALE), expected)
    coarse = [part.bfloat16().requires_grad_() for part in (q, k, v)]
    expected = fusion.janus_attention(*coarse, SCALE)
    assert torch.equal(fusion_cpu.janus_attention(*coarse, SCALE), expected)


def test_the_fusion_of_bfloat16_without_a_gradient() -> None:
    q, k, v = (part.bfloat16() for part in heads(1, 70, 1, 4))
    found = fusion_cpu.janus_attention(q, k, v, SCALE)
    expected = reference.janus_attention(q.double(), k.double(), v.double(), SCALE)
    assert found.dtype == torch.bfloat16
    assert (found - expected).abs().max() < 2.0**-7 * expected.abs().max()


@pytest.mark.parametrize("amx", [True, False])
def test_who_fuses_bfloat16(amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("janusdna.ops.backends._has_amx", lambda: amx)
    kernels = choose_kernels(torch.device("cpu"), torch.bfloat16, states=16)
    assert kernels.names["fusion"] == ("four-flash" if amx else "numba")


def gradients(network: JanusDNA, ids: Tensor) -> list[Tensor]:
    """Of a step's loss, of all parameters that have one."""
    prediction = network(ids)
    loss = objectives.surprisal(prediction.logits, ids).mean() + objectives.router_loss(prediction, 0.2)
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return [gradient for gradient in found if gradient is not None]


@pytest.mark.usefixtures("threads")
def test_a_step_gives_the_same_bits_twice(
    make_network: Callable[..., JanusDNA], random_ids: Callable[[int, int], Tensor], cpu_kernels: Kernels
) -> None:
    network, ids = make_network(cpu_kernels), random_ids(3, 300)
    first, second = gradients(network, ids), gradients(network, ids)
    assert len(first) > 20
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_two_threads_at_once_give_what_each_gives_alone(
    make_network: Callable[..., JanusDNA], random_ids: Callable[[int, int], Tensor], cpu_kernels: Kernels
) -> None:
    network = make_network(cpu_kernels)
    batches = [random_ids(2, length) for length in (250, 300, 350, 400)]

    def alone(ids: Tensor) -> list[Tensor]:
        torch.set_num_threads(1)
        return gradients(network, ids)

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
        expected, found = list(one.map(alone, batches)), list(two.map(alone, batches))
    for alone_, together in zip(expected, found, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(alone_, together, strict=True))
