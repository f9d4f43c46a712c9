"""What a GPU computes, against plain PyTorch in float64 on the CPU; `gpu.py` runs these first.

Each check is a line: what was compared, its error, what the error may be, whether it is less.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from unittest import mock

import flex_attention
import numpy as np
import torch
from measure import Row
from torch import Tensor

from janusdna import PRESETS, ModelConfig
from janusdna.nn.edits import Edit
from janusdna.nn.model import JanusDNA
from janusdna.ops import attention, fusion, reference
from janusdna.ops.backends import REFERENCE, Kernel, Kernels, choose_kernels
from janusdna.reader import Model
from janusdna_cli.reading.requests import BOTH_STRANDS, Request
from janusdna_cli.reading.window_reader import WindowReader

__all__ = ["available", "run_checks"]

# Largest error that may be, as a share of the largest value: float32 sums of some hundred products, bfloat16.
EXACT, ROUNDED = 2e-5, 3e-2
SCALE = 0.3
SMALL = PRESETS["janusdna-32-midattn"].to_dict() | {
    "num_layers": 4,
    "num_experts": 4,
    "expert_layers": (1, 3),
    "attention_layers": (2,),
}

Operation = Callable[..., Tensor | tuple[Tensor, ...]]


def run_checks(device: torch.device) -> list[Row]:
    """All of them, printed as they are done; an error in one is its line."""
    rows = []
    for name, check in _checks(device):
        try:
            error, limit = check()
            note = ""
        except Exception as problem:  # its line says so, and the others are run
            error, limit, note = float("inf"), 0.0, f"{type(problem).__name__}: {str(problem)[:200]}"
        rows.append({"check": name, "error": error, "may be": limit, "ok": str(error <= limit), "note": note})
        print(rows[-1], flush=True)
        gc.collect()
    return rows


def available(dtype: torch.dtype) -> dict[str, Kernels]:
    """The kernels that can scan here, by what `--kernels` calls them."""
    found = {}
    for preference in ("triton", "mamba-ssm"):
        try:
            found[preference] = choose_kernels(torch.device("cuda"), dtype, states=16, preference=preference)
        except Exception as problem:  # not installed, or not for this GPU
            logging.getLogger(__name__).warning("%s", problem)
    return found


def _checks(device: torch.device) -> Iterator[tuple[str, Callable[[], tuple[float, float]]]]:
    for name, kernels in available(torch.bfloat16).items():
        for length, reverse, dtype in product((1, 37, 301), (False, True), (torch.float32, torch.bfloat16)):
            label = f"{kernels.scan.name} scan, {length} steps{' reversed' * reverse}, {_name(dtype)}"
            yield label, lambda k=kernels, t=length, r=reverse, d=dtype: _scan(k.scan, t, r, d, device)
        yield f"{kernels.conv.name} convolution", lambda k=kernels: _conv(k.conv, device)
        yield f"network by {name}", lambda k=kernels: _network(k, device)
        yield f"targets and edits in chunks by {name}", lambda k=kernels: _edits(k, device)
    kernels = choose_kernels(torch.device("cuda"), torch.bfloat16, states=16)
    yield (
        f"{kernels.norm.name} norm",
        lambda: _pair(
            lambda x, w: kernels.norm(x, w, 1e-6),
            lambda x, w: reference.rms_norm(x, w, 1e-6),
            [torch.randn(3, 501, 72), torch.randn(72)],
            device,
        ),
    )
    yield (
        f"{kernels.swiglu.name} gate",
        lambda: _pair(kernels.swiglu, reference.swiglu, [torch.randn(3, 501, 144)], device),
    )
    yield f"{kernels.mixture.name} experts", lambda: _mixture(kernels.mixture, device)
    for length, dtype in product((3, 130, 1027), (torch.float32, torch.bfloat16)):
        operands = [torch.randn(2, 4, 2 * length, 18) for _ in range(3)]
        for name, attend in _fusions(device):
            yield (
                f"{name}, {length} positions, {_name(dtype)}",
                lambda a=attend, o=operands, d=dtype: _pair(
                    lambda *p: a(*p, SCALE), lambda *p: reference.janus_attention(*p, SCALE), o, device, d
                ),
            )
    for count, keys, dtype in product((1, 300), (900, 70_001), (torch.float32, torch.bfloat16)):
        label = f"{count} queries over {keys} keys in parts, {_name(dtype)}"
        yield label, lambda c=count, k=keys, d=dtype: _few_queries(c, k, d, device)
    for dtype in (torch.float32, torch.bfloat16)[: 1 + (device.type == "cuda")]:
        yield f"targets of windows in one call, {_name(dtype)}", lambda d=dtype: _targets(kernels, d, device)
    if device.type == "cuda" and kernels.swiglu.name == "triton":
        yield "kernels launched without a C compiler", lambda: _by_driver(kernels, device)
    if device.type == "cuda":
        yield "one pass as a CUDA graph", lambda: _graph(kernels, device)
        yield "out of memory: half the batch", lambda: _too_much(kernels, device)


def _by_driver(kernels: Kernels, device: torch.device) -> tuple[float, float]:
    from janusdna.ops.triton import launch as triton_launch

    with mock.patch.object(triton_launch, "builds_a_launcher", return_value=False):
        return max(
            _pair(kernels.swiglu, reference.swiglu, [torch.randn(3, 501, 144)], device),
            _scan(kernels.scan, 301, True, torch.float32, device),
        )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _fusions(device: torch.device) -> Iterator[tuple[str, Operation]]:
    yield "four-flash", fusion.janus_attention
    if device.type == "cuda":
        yield "FlexAttention", partial(flex_attention.janus_attention, compiled=True)


def _limit(dtype: torch.dtype) -> float:
    return EXACT if dtype == torch.float32 else ROUNDED


def _pair(
    fast: Operation,
    plain: Operation,
    values: Sequence[Tensor],
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> tuple[float, float]:
    """The largest error of what both give and of all gradients, each over its largest value."""
    rounded = [value.to(dtype) for value in values]
    one = [value.to(device, copy=True).requires_grad_() for value in rounded]
    other = [value.double().requires_grad_() for value in rounded]
    found, expected = fast(*one), plain(*other)
    founds, truths = ((part,) if isinstance(part, Tensor) else part for part in (found, expected))
    weights = [torch.randn(part.shape) for part in truths]
    torch.autograd.backward(founds, [w.to(part) for w, part in zip(weights, founds, strict=True)])
    torch.autograd.backward(
        truths, [w.to(part.dtype).to(truth) for w, part, truth in zip(weights, founds, truths, strict=True)]
    )
    pairs = [*zip(founds, truths, strict=True), *((a.grad, b.grad) for a, b in zip(one, other, strict=True))]
    return max(_error(a, b) for a, b in pairs), _limit(dtype)


def _error(found: Tensor | None, truth: Tensor | None) -> float:
    if found is None or truth is None:
        return 0.0 if found is truth else float("inf")
    exact = truth.detach().double()
    off = (found.detach().cpu().double() - exact).abs().max()
    return float(off / exact.abs().max().clamp(min=1e-30))


def _scan(
    scan: Kernel, length: int, reverse: bool, dtype: torch.dtype, device: torch.device
) -> tuple[float, float]:
    torch.manual_seed(length)
    wide, narrow = (2, length, 40), (2, length, 16)
    values = [
        torch.randn(wide),
        2 * torch.randn(wide) - 2,
        -8 * torch.rand(40, 16),
        torch.randn(narrow),
        torch.randn(narrow),
        torch.randn(40),
        torch.randn(wide),
        torch.randn(2, 40, 16),
    ]
    return _pair(
        lambda *p: scan(*p, reverse=reverse),
        lambda *p: reference.selective_scan(*p, reverse=reverse),
        values,
        device,
        dtype,
    )


def _conv(conv: Kernel, device: torch.device) -> tuple[float, float]:
    values = [torch.randn(2, 131, 40), torch.randn(40, 4), torch.randn(40), torch.randn(2, 3, 40)]
    return max(
        _pair(
            lambda *p, r=reverse: conv(*p, reverse=r),
            lambda *p, r=reverse: reference.conv_silu(*p, reverse=r),
            values,
            device,
        )
        for reverse in (False, True)
    )


def _mixture(mixture: Kernel, device: torch.device) -> tuple[float, float]:
    torch.manual_seed(0)
    values = [torch.randn(500, 32), torch.randn(500, 16), torch.randn(16, 128, 32), torch.randn(16, 32, 64)]
    return _pair(
        lambda *p: mixture(*p, 2)[0], lambda *p: reference.mixture(*p, 2)[0], values, device, torch.bfloat16
    )


def _few_queries(count: int, keys: int, dtype: torch.dtype, device: torch.device) -> tuple[float, float]:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 4, n, 24).to(dtype) for n in (count, keys, keys))
    found, lse = attention.attend(q.to(device), k.to(device), v.to(device), SCALE)
    scores = q.double() @ k.double().mT * SCALE
    errors = _error(found, scores.softmax(-1) @ v.double()), _error(lse, scores.logsumexp(-1))
    return max(errors), _limit(dtype)


def _targets(kernels: Kernels, dtype: torch.dtype, device: torch.device) -> tuple[float, float]:
    """Of several windows in one call, few and many."""
    if kernels.targets is None:
        raise RuntimeError("targets are read block by block here")
    errors = []
    for count, length in ((1, 3), (3, 1000), (40, 5001)):
        torch.manual_seed(count)
        q, k, v = (torch.randn(3, 4, rows, 24).to(dtype) for rows in (2 * count, 2 * length, 2 * length))
        targets = torch.randint(0, length, (3, count))
        found = kernels.targets(*(part.to(device) for part in (q, k, v, targets)), SCALE)
        exact = (part.double() for part in (q, k, v))
        errors.append(_error(found, reference.target_attention(*exact, targets, SCALE)))
    return max(errors), _limit(dtype)


def make_network(kernels: Kernels, device: torch.device, dtype: torch.dtype) -> JanusDNA:
    """A small network with mid attention, the same in every call."""
    network = JanusDNA(ModelConfig.from_dict(SMALL), kernels)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "norm" not in name and not name.endswith(("A_log", ".D", "bias")):
                parameter.normal_(std=0.15)
    return network.cast(dtype).to(device)


def _network(kernels: Kernels, device: torch.device) -> tuple[float, float]:
    """Logits and gradients of a bfloat16 network: at most three times as far off as plain bfloat16's."""
    ids = torch.randint(7, 11, (2, 203), generator=torch.Generator().manual_seed(0))
    gradients = []
    cpu = torch.device("cpu")
    for network in (
        make_network(kernels, device, torch.bfloat16),
        make_network(REFERENCE, cpu, torch.bfloat16),
        make_network(REFERENCE, cpu, torch.float64),
    ):
        logits = network(ids.to(network.head.weight.device)).logits
        logits.double().square().mean().backward()
        parts = [logits, *(p.grad for p in network.parameters() if p.grad is not None)]
        gradients.append(
            torch.cat([part.detach().cpu().double().flatten() / part.numel() ** 0.5 for part in parts])
        )
    found, rounded, truth = gradients
    return float((found - truth).norm()), 3 * float((rounded - truth).norm())


def _edits(kernels: Kernels, device: torch.device) -> tuple[float, float]:
    """Targets, and edited windows near their edits, walked in several chunks, in float32."""
    network = make_network(
        replace(kernels, chunk_values=2 * 32 * 100, mixture=REFERENCE.mixture), device, torch.float32
    )
    exact = make_network(REFERENCE, torch.device("cpu"), torch.float64)
    ids = torch.randint(7, 11, (2, 350), generator=torch.Generator().manual_seed(1))
    targets = torch.arange(170, 200).expand(2, -1).contiguous()
    edits = [
        Edit(1, 180, 181, torch.tensor([8, 9]), 172, 190),
        Edit(0, 181, 190, torch.tensor([7]), 170, 199),
    ]
    found: dict[int, Tensor] = {}
    with torch.no_grad():
        read = network.read(
            ids.to(device), targets.to(device), edits, lambda i, it: found.__setitem__(i, it.logits)
        )
        errors = [_error(read.logits, exact(ids).logits[:, 170:200])]
        for i, edit in enumerate(edits):
            window = ids[edit.row]
            edited = torch.cat((window[: edit.start], edit.ids, window[edit.end :]))[None]
            errors.append(_error(found[i], exact(edited).logits[0, edit.first : edit.stop]))
    return max(errors), 20 * EXACT


def _reader(kernels: Kernels, device: torch.device) -> Model:
    return Model(make_network(kernels, device, torch.bfloat16).requires_grad_(False), info=None)


def _graph(kernels: Kernels, device: torch.device) -> tuple[float, float]:
    """The second pass over a shape is captured, the third replayed; each as the network itself."""
    model = _reader(kernels, device)
    errors = []
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randint(7, 11, (8, 256), generator=generator)
        targets = torch.randint(0, 256, (8, 2), generator=generator)
        with torch.inference_mode():
            expected = model.module(ids.to(device), targets.to(device)).logits
        errors.append(_error(model.read(ids, targets).logits, expected.cpu()))
    return max(errors), ROUNDED


def _too_much(kernels: Kernels, device: torch.device) -> tuple[float, float]:
    """A batch that does not fit is halved, and the answers are those of small batches."""
    model = _reader(kernels, device)
    draw = np.random.default_rng(0)
    windows = [draw.integers(7, 11, 2048).astype(np.uint8) for _ in range(64)]
    requests = [Request(ids, np.array([1000]), BOTH_STRANDS) for ids in windows]
    plenty = WindowReader(model, batch_bp=8 * 2048).answer(requests)
    total = torch.cuda.mem_get_info(device)[1]
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated(device) + (192 << 20)) / total)
    try:
        found = WindowReader(model, batch_bp=128 * 2048).answer(requests)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    apart = (np.abs(found[request].logp - plenty[request].logp).max() for request in requests)
    return max(map(float, apart)), ROUNDED
