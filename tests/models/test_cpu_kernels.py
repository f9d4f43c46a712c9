"""The compiled kernels for norms, experts and bfloat16 against the plain operations in float64."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import janusdna
from janusdna.nn.edits import Edit
from janusdna.nn.model import JanusDNA
from janusdna.ops import reference
from janusdna.ops.backends import Kernels
from janusdna.ops.cpu import conv as conv_cpu
from janusdna.ops.cpu import mixture as mixture_cpu
from janusdna.ops.cpu import norm as norm_cpu
from janusdna.ops.cpu import scan as scan_cpu
from janusdna.ops.cpu import swiglu as swiglu_cpu
from janusdna.ops.cpu.arrays import rows_of
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.math import sigmoid, silu, softplus
from janusdna.ops.cpu.simd import LANES, exp2, load, store, sum_of, totals

from ..networks import WIDTH

# Of a value rounded to bfloat16, relative.
ROUNDING = 2.0**-8


@compiled
def _activations(x: Any, out: Any) -> None:
    for at in range(0, x.size, LANES):
        lanes = min(LANES, x.size - at)
        values = load(x, at, lanes)
        store(out, at, lanes, softplus(values))
        store(out, x.size + at, lanes, sigmoid(values))
        store(out, 2 * x.size + at, lanes, silu(values))


@compiled
def _powers(x: Any, out: Any) -> None:
    for at in range(0, x.size, LANES):
        store(out, at, min(LANES, x.size - at), exp2(load(x, at, min(LANES, x.size - at))))


@compiled
def _sums(x: Any, out: Any) -> None:
    store(out, 0, LANES, totals(x, 0))
    for row in range(LANES):
        out[LANES + row] = sum_of(load(x, row * LANES, LANES))


def test_activations_to_float32_rounding() -> None:
    x = np.concatenate((np.linspace(-100, 100, 3001), [-1e4, 0, 1e-30, -1e-30, 1e4])).astype(np.float32)
    out = np.empty(3 * x.size, np.float32)
    _activations(x, out)
    exact = torch.from_numpy(x).double()
    expected = (torch.nn.functional.softplus(exact), exact.sigmoid(), exact * exact.sigmoid())
    for found, truth in zip(out.reshape(3, -1), expected, strict=True):
        near = truth.abs() > 1e-30  # below, float32 keeps no relative precision here
        error = np.abs(found - truth.numpy())
        assert (error[near] / truth.abs().numpy()[near]).max() < 1e-5
        assert error[~near].max(initial=0) < 1e-30


def test_exp2_to_float32_rounding() -> None:
    x = -np.linspace(0, 120, 10_007).astype(np.float32)
    out = np.empty_like(x)
    _powers(x, out)
    assert np.abs(out / np.exp2(x.astype(np.float64)) - 1).max() < 1.2e-7


def test_not_a_number_stays_one() -> None:
    x = np.array([np.nan, 1.0], np.float32)
    out = np.empty(6, np.float32)
    _activations(x, out)
    assert np.isnan(out.reshape(3, 2)[:, 0]).all()
    assert np.isfinite(out.reshape(3, 2)[:, 1]).all()


def test_sums_over_lanes() -> None:
    x = np.random.default_rng(0).normal(size=LANES * LANES).astype(np.float32)
    out = np.empty(2 * LANES, np.float32)
    _sums(x, out)
    expected = x.reshape(LANES, LANES).sum(axis=1, dtype=np.float64)
    np.testing.assert_allclose(out[:LANES], expected, atol=1e-5)
    np.testing.assert_allclose(out[LANES:], expected, atol=1e-5)


@pytest.mark.parametrize("width", [1, 5, 16, 37, 72])
def test_norm(width: int) -> None:
    rows, weight = 3 * torch.randn(4, 9, width + 7), torch.randn(width)
    with torch.no_grad():
        for x in (rows[..., :width].contiguous(), rows[..., 7:], rows[:, ::2, :width]):
            found = norm_cpu.rms_norm(x, weight, 1e-6)
            expected = reference.rms_norm(x.double(), weight.double(), 1e-6)
            assert found.shape == x.shape
            assert (found - expected).abs().max() <= 1e-6 * expected.abs().max()


def test_norm_of_float32_rows_by_a_bfloat16_weight() -> None:
    x, weight = torch.randn(50, 24), torch.randn(24).bfloat16()
    with torch.no_grad():
        found = norm_cpu.rms_norm(x, weight, 1e-6)
    expected = reference.rms_norm(x.double(), weight.double(), 1e-6)
    assert found.dtype == torch.bfloat16
    assert ((found - expected).abs() <= ROUNDING * expected.abs() + 1e-6).all()


def test_rows_that_lie_at_equal_distances_are_not_copied() -> None:
    x = torch.arange(60.0).view(3, 4, 5)
    for view, distance in ((x, 5), (x[..., 1:3], 5), (x[:, :, :1], 5)):
        array, count, stride = rows_of(view)
        assert (count, stride) == (12, distance)
        assert array[3 * stride] == view.reshape(12, -1)[3, 0]
        assert array.__array_interface__["data"][0] == view.data_ptr()
    array, count, stride = rows_of(x[:, :3, 1:3])
    assert (count, stride) == (9, 2)
    assert array.reshape(9, 2).tolist() == x[:, :3, 1:3].reshape(9, 2).tolist()


@pytest.mark.parametrize(("tokens", "experts", "chosen"), [(1, 4, 2), (33, 5, 1), (200, 16, 2), (64, 3, 3)])
def test_mixture(tokens: int, experts: int, chosen: int) -> None:
    torch.manual_seed(tokens)
    x, logits = torch.randn(tokens, 18), torch.randn(tokens, experts)
    logits[:, -1] = -30  # an expert that no token visits, where one may stay idle
    into, out_of = torch.randn(experts, 20, 18), torch.randn(experts, 18, 10)
    with torch.no_grad():
        found = mixture_cpu.mixture(x, logits, into, out_of, chosen)
    exact = reference.mixture(*(part.double() for part in (x, logits, into, out_of)), chosen)
    assert (found[0] - exact[0]).abs().max() <= 1e-5 * exact[0].abs().max()
    assert (found[1] - exact[1]).abs().max() <= 1e-6
    assert torch.equal(found[2], exact[2])


def test_a_mixture_is_its_formula() -> None:
    x, logits = torch.randn(9, 6).double(), torch.randn(9, 4).double()
    into, out_of = torch.randn(4, 10, 6).double(), torch.randn(4, 6, 5).double()
    found, probabilities, choices = reference.mixture(x, logits, into, out_of, 2)
    for token in range(9):
        expected = torch.zeros(6).double()
        for expert in logits[token].argsort(descending=True)[:2]:
            gate, up = (into[expert] @ x[token]).chunk(2)
            expected += logits[token].softmax(0)[expert] * (out_of[expert] @ (gate * gate.sigmoid() * up))
        torch.testing.assert_close(found[token], expected)
        assert choices[token].tolist() == logits[token].argsort(descending=True)[:2].tolist()
    torch.testing.assert_close(probabilities, logits.softmax(-1))


def test_bfloat16_is_rounded_once() -> None:
    """Kernels read it exactly and compute in float32: only what they give back is rounded."""
    torch.manual_seed(0)
    x, weight, bias = torch.randn(2, 20, 24), torch.randn(24, 4), torch.randn(24)
    rows, A, D = torch.randn(2, 20, 16), -torch.rand(24, 16), torch.randn(24)
    rough = [part.bfloat16() for part in (x, weight, bias, rows)]
    xs, ws, bs, rs = (part.double() for part in rough)
    with torch.no_grad():
        found = [
            conv_cpu.conv_silu(*rough[:3]),
            swiglu_cpu.swiglu(rough[0]),
            scan_cpu.selective_scan(rough[0], rough[0], A, rough[3], rough[3], D, rough[0])[0],
        ]
    expected = [
        reference.conv_silu(xs, ws, bs),
        reference.swiglu(xs),
        reference.selective_scan(xs, xs, A.double(), rs, rs, D.double(), xs)[0],
    ]
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.bfloat16
        assert ((one - other).abs() <= ROUNDING * other.abs() + 1e-5).all()


class Largest(TorchDispatchMode):
    """Notes the most elements of any tensor that an operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        made = [
            part for part in (out if isinstance(out, tuple | list) else (out,)) if isinstance(part, Tensor)
        ]
        self.elements = max([self.elements, *(part.numel() for part in made)])
        return out


@pytest.mark.parametrize(("attention_layers", "edits"), [((), 0), ((2,), 3)], ids=["targets", "edits"])
def test_a_chunked_walk_allocates_keys_and_values_alone(
    make_network: Callable[..., JanusDNA],
    random_ids: Callable[[int, int], Tensor],
    cpu_kernels: Kernels,
    attention_layers: tuple[int, ...],
    edits: int,
) -> None:
    length, expand = 4096, 8
    chunked = replace(cpu_kernels, chunk_values=64 * WIDTH)
    network = make_network(chunked, attention_layers=attention_layers, expand=expand)
    change = Edit(0, 1990, 1991, torch.tensor([7, 8]), 1980, 2001)
    with torch.no_grad(), Largest() as largest:
        network.read(random_ids(1, length), torch.arange(1980, 2001)[None], [change] * edits)
    buffer = 2 * 2 * length * WIDTH  # keys and values of both streams
    assert largest.elements == buffer < length * expand * WIDTH


def test_compiled_code_is_kept_where_the_package_cannot_be_written(tmp_path: Path) -> None:
    """Numba decides by whether a file can be made there; root can everywhere, so the folder is taken away."""
    package = Path(janusdna.__file__).parent
    copy, cache = tmp_path / "site" / "janusdna", tmp_path / "cache"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "ops" / "cpu" / "__pycache__").write_text("not a folder: nothing can be written in it")
    code = (
        "import torch; from janusdna.ops.cpu import swiglu as swiglu_cpu\n"
        "with torch.no_grad(): swiglu_cpu.swiglu(torch.ones(2, 4))"
    )
    environment = os.environ | {
        "PYTHONPATH": str(copy.parent),
        "XDG_CACHE_HOME": str(cache),
        "HOME": str(cache),
    }
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("NUMBA_CACHE_DIR", None)
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=environment, capture_output=True, timeout=120
    )
    assert list(cache.rglob("*.nbc")), "no machine code in the user's cache"
