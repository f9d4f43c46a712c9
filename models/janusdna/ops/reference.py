"""The operations in plain PyTorch: the specification that every kernel is tested against.

Legend: B batch, T tokens, d_in channels, N states, K taps, H heads, c head size.
All of them run in any floating dtype and are differentiable by autograd.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "MambaWeights",
    "accumulation_dtype",
    "add_mamba",
    "add_mixture",
    "add_product",
    "add_swiglu",
    "causal_attention",
    "conv_silu",
    "gated",
    "janus_attention",
    "janus_mask",
    "mixture",
    "moved_tail",
    "project",
    "rms_norm",
    "routed",
    "scan_operands",
    "selective_scan",
    "swiglu",
]


def accumulation_dtype(dtype: torch.dtype) -> torch.dtype:
    """float32, or float64 where the operands have it."""
    return torch.promote_types(dtype, torch.float32)


def selective_scan(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    z: Tensor,
    initial_state: Tensor | None = None,
    *,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t; y_t = (C_t . h_t + D x_t) silu(z_t).

    Args:
        x: Inputs, (B, T, d_in).
        dt: Step sizes before softplus, (B, T, d_in); delta = softplus(dt).
        A: State decay, (d_in, N), negative.
        B: Input projections, (B, T, N).
        C: Output projections, (B, T, N).
        D: Skip weights, (d_in,).
        z: Gate, (B, T, d_in).
        initial_state: h before the first step, (B, d_in, N); None for zeros.
        reverse: Run from t = T - 1 down to 0.

    Returns:
        y, (B, T, d_in) in x's dtype, and the state after the last step, (B, d_in, N).

    Source: Gu and Dao, arXiv 2312.00752, algorithm 2.
    """
    dtype = accumulation_dtype(x.dtype)
    u, dt, A, B, C, D, z = (operand.to(dtype) for operand in (x, dt, A, B, C, D, z))
    delta = functional.softplus(dt)
    state = u.new_zeros(u.shape[0], *A.shape) if initial_state is None else initial_state.to(dtype)
    steps = range(u.shape[1])
    outputs: list[Tensor] = []
    for t in reversed(steps) if reverse else steps:
        decay = torch.exp(delta[:, t, :, None] * A)
        state = decay * state + (delta[:, t] * u[:, t])[..., None] * B[:, t, None, :]
        outputs.append((state * C[:, t, None, :]).sum(-1) + D * u[:, t])
    if reverse:
        outputs.reverse()
    return (torch.stack(outputs, dim=1) * functional.silu(z)).to(x.dtype), state


def conv_silu(
    x: Tensor, weight: Tensor, bias: Tensor, before: Tensor | None = None, *, reverse: bool = False
) -> Tensor:
    """SiLU of a depthwise convolution in which y_t sees x_t and the K - 1 rows before it.

    Args:
        x: Inputs, (B, T, d_in).
        weight: Taps, (d_in, K); the last one meets x_t.
        bias: (d_in,).
        before: The K - 1 rows before the first, (B, K - 1, d_in); None for zeros. With `reverse`
            they are the rows after the last.
        reverse: y_t sees x_t and the K - 1 rows after it, taps mirrored.

    Returns:
        (B, T, d_in).
    """
    taps = weight.shape[1]
    edge = x.new_zeros(x.shape[0], taps - 1, x.shape[2]) if before is None else before
    padded = torch.cat((x, edge) if reverse else (edge, x), dim=1)
    length = x.shape[1]
    out = bias.expand_as(x)
    for tap in range(taps):
        shift = taps - 1 - tap if reverse else tap
        out = torch.addcmul(out, padded[:, shift : shift + length], weight[:, tap])
    return functional.silu(out)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Rows x / sqrt(mean(x^2) + eps) in at least float32, times a weight; in the weight's dtype.

    Source: Zhang and Sennrich, arXiv 1910.07467.
    """
    exact = x.to(accumulation_dtype(x.dtype))
    scale = torch.rsqrt(exact.square().mean(-1, keepdim=True) + eps)
    return (exact * scale).to(weight.dtype) * weight


def swiglu(gate_up: Tensor) -> Tensor:
    """silu(gate) * up of rows [gate, up]: (..., 2m) to (..., m).

    Source: Shazeer, arXiv 2002.05202.
    """
    gate, up = gate_up.chunk(2, dim=-1)
    return functional.silu(gate) * up


def gated(x: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
    """A SwiGLU layer of rows (..., d), with gate_up (2m, d) and down (d, m)."""
    return functional.linear(swiglu(functional.linear(x, gate_up)), down)


def routed(logits: Tensor, experts_per_token: int) -> tuple[Tensor, Tensor, Tensor]:
    """The probabilities of experts, and of those chosen the weights and which they are, the best first.

    By their logits: where one is nearly certain, probabilities of others round to equal ones.
    """
    probabilities = logits.softmax(-1, dtype=accumulation_dtype(logits.dtype))
    choices = logits.topk(experts_per_token, dim=-1).indices
    return probabilities, probabilities.gather(-1, choices), choices


def mixture(
    tokens: Tensor, logits: Tensor, gate_up: Tensor, down: Tensor, experts_per_token: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Each token through its best experts, weighted by the router's softmax over all of them.

    The weights are not renormalised and no token is dropped. Tokens are sorted by expert, so that each
    expert is one product over its own tokens.

    Args:
        tokens: (n, d).
        logits: The router's, (n, E).
        gate_up: The experts' rows of gate and up, (E, 2m, d).
        down: (E, d, m).
        experts_per_token: How many a token visits.

    Returns:
        The weighted sum, (n, d); the router's probabilities, (n, E); its choices, the best first,
        (n, experts_per_token).

    Source: Fedus et al., arXiv 2101.03961.
    """
    probabilities, weights, choices = routed(logits, experts_per_token)
    order = choices.flatten().argsort(stable=True)
    visiting = tokens[order // experts_per_token]
    loads = torch.bincount(choices.flatten(), minlength=len(down)).tolist()
    answers = torch.cat(
        [
            functional.linear(swiglu(functional.linear(rows, gate_up[e])), down[e])
            for e, rows in enumerate(visiting.split(loads))
        ]
    )
    by_token = torch.empty_like(answers).index_copy(0, order, answers)
    by_token = by_token.unflatten(0, (-1, experts_per_token))
    return (by_token * weights[..., None].to(tokens.dtype)).sum(dim=1), probabilities, choices


def project(h: Tensor, norm: Tensor, eps: float, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Two linear layers of rows that are normed first.

    Args:
        h: (..., d).
        norm, eps: Of the RMSNorm.
        one, other: Matrices, (m, d) and (n, d).

    Returns:
        (..., m) and (..., n).
    """
    normed = rms_norm(h, norm, eps)
    return functional.linear(normed, one), functional.linear(normed, other)


class MambaWeights(NamedTuple):
    """All weights of a Mamba mixer.

    Attributes:
        into, gate: Projections to the convolution's input and to the gate, (d_in, d).
        taps, bias: Of the convolution, (d_in, K) and (d_in,).
        operands: Projection to the rank of dt, B and C, (rank + 2N, d_in).
        norms: Weights of the RMSNorms of the three, (rank,), (N,), (N,).
        eps: Of these norms.
        step, step_bias: Projection to dt, (d_in, rank) and (d_in,).
        decay: A, (d_in, N), negative.
        skip: D, (d_in,).
        out_of: Projection back, (d, d_in).
    """

    into: Tensor
    gate: Tensor
    taps: Tensor
    bias: Tensor
    operands: Tensor
    norms: tuple[Tensor, Tensor, Tensor]
    eps: float
    step: Tensor
    step_bias: Tensor
    decay: Tensor
    skip: Tensor
    out_of: Tensor


def scan_operands(
    u: Tensor, into: Tensor, norms: tuple[Tensor, Tensor, Tensor], eps: float, step: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What a selective scan takes beside its inputs: dt before softplus, B and C, made from the inputs.

    Args:
        u: Inputs, (..., d_in).
        into: Projection to the rank of dt, B and C, (rank + 2N, d_in).
        norms: Weights of the RMSNorms of the three, (rank,), (N,), (N,).
        eps: Of the norms.
        step, bias: Projection of dt, (d_in, rank) and (d_in,).

    Returns:
        (..., d_in), (..., N), (..., N).
    """
    parts = functional.linear(u, into).split([len(norm) for norm in norms], dim=-1)
    dt, B, C = (rms_norm(part, norm, eps) for part, norm in zip(parts, norms, strict=True))
    return functional.linear(dt, step, bias), B, C


def moved_tail(x: Tensor, tail: Tensor, reverse: bool) -> Tensor:
    """The rows that the next chunk's convolution sees outside itself.

    Args:
        x: Inputs of the convolution, (B, t, d_in).
        tail: Those before the first row, or with `reverse` behind the last one, (B, K - 1, d_in).
        reverse: Whether the sequence is walked from its end.
    """
    kept = tail.shape[1]
    if reverse:
        return torch.cat((x[:, :kept], tail), dim=1)[:, :kept]
    joined = torch.cat((tail, x[:, -kept:] if kept else x[:, :0]), dim=1)
    return joined[:, joined.shape[1] - kept :]


def add_mamba(
    h: Tensor,
    norm: Tensor,
    eps: float,
    weights: MambaWeights,
    tail: Tensor,
    ssm: Tensor,
    *,
    reverse: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """A Mamba mixer of normed rows on top of h, (B, t, d).

    Args:
        h: (B, t, d).
        norm, eps: Of the RMSNorm.
        weights: Of the mixer.
        tail: Inputs of the convolution before these rows, (B, K - 1, d_in), in sequence order.
        ssm: State of the recurrence before them, (B, d_in, N).
        reverse: Whether the sequence is walked from its end.

    Returns:
        (B, t, d), and the tail and the state behind these rows.
    """
    x, gate = project(h, norm, eps, weights.into, weights.gate)
    u = conv_silu(x, weights.taps, weights.bias, tail, reverse=reverse)
    own = weights.operands, weights.norms, weights.eps, weights.step, weights.step_bias
    dt, B, C = scan_operands(u, *own)
    y, last = selective_scan(u, dt, weights.decay, B, C, weights.skip, gate, ssm, reverse=reverse)
    return add_product(h, y, weights.out_of), moved_tail(x, tail, reverse), last


def add_product(h: Tensor, y: Tensor, matrix: Tensor) -> Tensor:
    """A linear layer of y on top of h: (..., d), (..., m), (d, m) to (..., d)."""
    return h + functional.linear(y, matrix)


def add_swiglu(h: Tensor, norm: Tensor, eps: float, gate_up: Tensor, down: Tensor) -> Tensor:
    """A SwiGLU of normed rows on top of h, (..., d); gate_up is (2m, d) and down (d, m)."""
    return h + gated(rms_norm(h, norm, eps), gate_up, down)


def add_mixture(
    h: Tensor, norm: Tensor, eps: float, router: Tensor, gate_up: Tensor, down: Tensor, experts_per_token: int
) -> tuple[Tensor, Tensor, Tensor]:
    """A mixture of experts of normed rows on top of h, (..., d), and what `mixture` gives besides."""
    tokens = rms_norm(h, norm, eps).flatten(0, -2)
    logits = functional.linear(tokens, router)
    mixed, probabilities, choices = mixture(tokens, logits, gate_up, down, experts_per_token)
    return h + mixed.view_as(h), probabilities, choices


def causal_attention(q: Tensor, k: Tensor, v: Tensor, scale: float, *, prefix: int = 0) -> Tensor:
    """Softmax attention of queries (B, H, t, c) to keys (B, H, prefix + t, c): row i sees prefix + i + 1."""
    seen = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril(prefix)
    return _masked_attention(q, k, v, seen, scale)


def janus_mask(length: int, device: torch.device | None = None) -> Tensor:
    """Who may look at whom, (2T, 2T) bool, rows and columns F_0..F_{T-1}, R_0..R_{T-1}.

    F_i sees F_k where k <= i and R_k where k >= i + 2; R_j sees R_k where k >= j and F_k where
    k <= j - 2.

    Source: Duan et al., arXiv 2505.17257, section 3.3.
    """
    row = torch.arange(length, device=device)[:, None]
    key = torch.arange(length, device=device)[None, :]
    forward = torch.cat((key <= row, key >= row + 2), dim=1)
    backward = torch.cat((key <= row - 2, key >= row), dim=1)
    return torch.cat((forward, backward), dim=0)


def janus_attention(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    """Attention over the 2T rows [F; R] under `janus_mask`.

    Args:
        q, k, v: (B, H, 2T, c).
        scale: Factor on the query-key products.

    Returns:
        (B, H, 2T, c).
    """
    return _masked_attention(q, k, v, janus_mask(q.shape[2] // 2, q.device), scale)


def target_attention(q: Tensor, k: Tensor, v: Tensor, targets: Tensor, scale: float) -> Tensor:
    """Attention of the two rows that predict each target to all that they see: R after it and F before it.

    Args:
        q: Rows F_{t-1} of all targets, then R_{t+1} of all, (B, H, 2n, c).
        k, v: Of rows R_0..R_{T-1}, F_0..F_{T-1}, (B, H, 2T, c).
        targets: Positions t, (B, n).
        scale: Factor on the query-key products.

    Returns:
        (B, H, 2n, c).
    """
    position, at = torch.arange(k.shape[2] // 2, device=k.device), targets[..., None]
    seen = torch.cat((position > at, position < at), dim=2).repeat(1, 2, 1)[:, None]
    return _masked_attention(q, k, v, seen, scale)


def _masked_attention(q: Tensor, k: Tensor, v: Tensor, seen: Tensor, scale: float) -> Tensor:
    dtype = accumulation_dtype(q.dtype)
    scores = (q.to(dtype) @ k.to(dtype).transpose(-1, -2)) * scale
    weights = scores.masked_fill(~seen, float("-inf")).softmax(dim=-1)
    return (weights @ v.to(dtype)).to(q.dtype)
