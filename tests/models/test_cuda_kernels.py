"""The kernels that a GPU gets, together in a network: by Triton's interpreter, or on a GPU.

Each alone is tested beside its CPU counterpart: test_scan.py, test_conv_and_gate.py, test_fusion.py.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from janusdna.nn import memory
from janusdna.nn.edits import Edit
from janusdna.nn.fusion import JanusFusion
from janusdna.nn.model import JanusDNA
from janusdna.ops import reference
from janusdna.ops.backends import REFERENCE, Kernel, Kernels, choose_kernels
from janusdna.ops.fusion import janus_attention

from ..closeness import assert_as_close
from ..networks import WIDTH
from .conftest import TRITON_DEVICE, small_config

Make = Callable[..., JanusDNA]
Draw = Callable[[int, int], Tensor]


@pytest.fixture
def cuda_kernels() -> Kernels:
    pytest.importorskip("triton")
    return choose_kernels(torch.device("cuda"), torch.bfloat16, states=16, preference="triton")


def pair(make_network: Make, kernels: Kernels, dtype: torch.dtype) -> tuple[JanusDNA, JanusDNA]:
    """The same weights with kernels of a GPU in `dtype`, and plain in float64."""
    return make_network(kernels).cast(dtype).to(TRITON_DEVICE), make_network().cast(torch.float64)


def dtype_of_experts() -> torch.dtype:
    """Grouped products are for bfloat16 on a GPU, for any dtype without."""
    return torch.bfloat16 if TRITON_DEVICE == "cuda" else torch.float32


@pytest.mark.parametrize(("tokens", "experts", "chosen"), [(1, 4, 1), (50, 4, 2), (7, 16, 2)])
def test_grouped_experts_and_their_gradients(
    cuda_kernels: Kernels, tokens: int, experts: int, chosen: int
) -> None:
    dtype = dtype_of_experts()
    shapes = (tokens, 16), (tokens, experts), (experts, 48, 16), (experts, 16, 24)
    generator = torch.Generator().manual_seed(tokens)
    values = [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]
    fast = [value.to(TRITON_DEVICE, copy=True).requires_grad_() for value in values]
    exact = [value.double().requires_grad_() for value in values]
    found = cuda_kernels.mixture(*fast, chosen)
    expected = reference.mixture(*exact, chosen)
    assert torch.equal(found[2].cpu(), expected[2])
    weight = torch.randn(tokens, 16, generator=generator)
    (found[0] * weight.to(found[0])).sum().backward()
    (expected[0] * weight.to(dtype).double()).sum().backward()
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    gradients = [(one.grad, other.grad) for one, other in zip(fast, exact, strict=True)]
    for one, other in [(found[0], expected[0]), *gradients]:
        assert one is not None
        assert other is not None
        assert (one.cpu() - other).abs().max() <= tolerance * other.abs().max()


def test_network_and_its_gradients(make_network: Make, random_ids: Draw, cuda_kernels: Kernels) -> None:
    fast, exact = pair(make_network, cuda_kernels, dtype_of_experts())
    plain = make_network().cast(dtype_of_experts())
    ids = random_ids(2, 40)
    weight = torch.randn(2, 40, 16, generator=torch.Generator().manual_seed(1))
    logits, gradients = [], []
    for network in (fast, plain, exact):
        found = network(ids.to(network.head.weight.device)).logits.cpu()
        (found * weight).sum().backward()
        logits.append(found.detach())
        gradients.append({name: parameter.grad for name, parameter in network.named_parameters()})
    assert_as_close(*logits, floor=1e-6)
    assert_as_close(*gradients)


def test_targets_and_edits_in_chunks(make_network: Make, random_ids: Draw, cuda_kernels: Kernels) -> None:
    kernels = replace(cuda_kernels, chunk_values=2 * WIDTH * 24)
    fast, exact = pair(make_network, kernels, dtype_of_experts())
    plain = make_network().cast(dtype_of_experts())
    ids = random_ids(2, 56)
    targets = torch.arange(20, 35).expand(2, -1)
    edits = [Edit(1, 26, 27, torch.tensor([8, 9]), 22, 30), Edit(0, 25, 28, torch.tensor([7]), 20, 35)]
    results = []
    for network in (fast, plain, exact):
        device = network.head.weight.device
        # Not inference mode, in which both streams walk at once: the interpreter runs one kernel at a time.
        with torch.no_grad():
            read = network.read(ids.to(device), targets.to(device), edits)
        parts = [read.logits, *(edited.logits for edited in read.edits)]
        results.append(torch.cat([part.flatten().cpu() for part in parts]))
    assert_as_close(*results, floor=1e-6)


def test_targets_of_many_windows_at_once(
    make_network: Make, random_ids: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of a GPU, which waits for blocks: as the targets of every position."""
    network = make_network().cast(torch.float64)
    ids = random_ids(3, 41)
    targets = torch.tensor([[0, 40, 7, 7], [20, 1, 39, 20], [40, 40, 0, 3]])
    plain = Kernel("reference", "tested", reference.target_attention)
    with torch.no_grad():
        expected = network(ids).logits[torch.arange(3)[:, None], targets]
        assert (network.read(ids, targets).logits - expected).abs().max() <= 1e-12
        network.fusion.kernels = replace(network.kernels, targets=plain)
        monkeypatch.delattr(JanusFusion, "block")
        assert (network.read(ids, targets).logits - expected).abs().max() <= 1e-12


@pytest.mark.parametrize(("length", "count"), [(3, 1), (40, 1), (65, 9), (300, 20)])
@pytest.mark.parametrize("size", [8, 18])
def test_attention_of_targets(
    triton: Callable[[str, str], Any], monkeypatch: pytest.MonkeyPatch, length: int, count: int, size: int
) -> None:
    attend = triton("targets", "target_attention")
    monkeypatch.setattr("janusdna.ops.triton.targets._FEWEST_KEYS", 100)
    generator = torch.Generator().manual_seed(length)
    q, k, v = (
        torch.randn(2, 4, rows, size, generator=generator) for rows in (2 * count, 2 * length, 2 * length)
    )
    targets = torch.randint(0, length, (2, count), generator=generator)
    targets[0, 0], targets[1, 0] = 0, length - 1
    found = attend(q, k, v, targets, 0.3)
    expected = reference.target_attention(q.double(), k.double(), v.double(), targets, 0.3)
    assert (found - expected).abs().max() <= 2e-6
    if count > 8 and TRITON_DEVICE == "cpu":
        return  # products of bfloat16 are not for the interpreter
    rough = attend(q.bfloat16(), k.bfloat16(), v.bfloat16(), targets, 0.3)
    assert rough.dtype == torch.bfloat16
    rounded = reference.target_attention(*(part.bfloat16().double() for part in (q, k, v)), targets, 0.3)
    assert ((rough - rounded).abs() <= 2**-7 * rounded.abs() + 1e-6).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shapes_through_a_network_that_is_not_on_a_cpu(dtype: torch.dtype) -> None:
    """All of it on no device, in chunks: PyTorch checks what its kernels for a GPU are called with."""
    kernels = replace(
        REFERENCE,
        fusion=Kernel("four-flash", "tested", janus_attention),
        # To count the tokens of experts takes a device.
        mixture=Kernel("none", "tested", lambda tokens, logits, *rest: (tokens, logits, logits)),
        targets=Kernel("reference", "tested", reference.target_attention),
        chunk_values=2 * WIDTH * 24,
        block_pairs=0,
    )
    with torch.device("meta"):
        network = JanusDNA(small_config(), kernels).cast(dtype)
        ids, targets = torch.empty(2, 150, dtype=torch.long), torch.empty(2, 3, dtype=torch.long)
    with torch.no_grad():
        every, few = network(ids), network.read(ids, targets)
    assert (every.logits.shape, few.logits.shape) == ((2, 150, 16), (2, 3, 16))
    assert (every.hidden.shape, few.hidden.shape) == ((2, 150, WIDTH), (2, 3, WIDTH))
    assert every.logits.dtype == few.logits.dtype == torch.float32


@pytest.mark.parametrize("few", [0, 4])
def test_neighbours_of_targets_within_a_chunk_are_stored(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(memory, "_FEW_TARGETS", few)
    targets = torch.tensor([[0, 3, 9, 11], [5, 5, 6, 12]])
    ids, like = torch.zeros(2, 13, dtype=torch.long), torch.zeros(1, 6)
    kept = memory.WindowMemory.empty(ids, targets, heads=1, like=like, dtype=torch.float32)
    rows = torch.randn(2, 13, 6)
    for start, end in ((0, 4), (4, 11), (11, 13)):
        kept.store_neighbours(0, start, rows[:, start:end])
        kept.store_neighbours(1, start, rows[:, start:end])
    for b, n in ((b, n) for b in range(2) for n in range(4)):
        at = int(targets[b, n])
        assert torch.equal(kept.neighbours[b, n, 0], rows[b, at - 1] if at > 0 else like[0])
        assert torch.equal(kept.neighbours[b, n, 1], rows[b, at + 1] if at < 12 else like[0])
