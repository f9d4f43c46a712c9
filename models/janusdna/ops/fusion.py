"""The Janus fusion as four causal attentions, merged two and two by their log-sum-exp.

    part     queries                 keys and values
    F on F   F                       F
    R on F   R without first two     F without last two
    R on R   R reversed              R reversed
    F on R   F reversed, w/o first 2 R reversed, w/o last 2

Each part is plain causal attention, so a fused flash kernel computes it without a T x T tensor. The
backward pass is exact as well: a part's flash backward, given the merged output and the merged
log-sum-exp, returns its share of the gradient (as ring attention does, arXiv 2310.01889).

Legend: B batch, H heads, T tokens, c head size, n targets.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from janusdna.ops.attention import flash, flash_backward, merge

__all__ = ["janus_attention", "janus_attention_rows"]

_MASK_ELEMENTS = 1 << 24


def janus_attention(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    """As `reference.janus_attention`: (B, H, 2T, c) in and out, T >= 3, on a CPU."""
    out: Tensor = _JanusAttention.apply(q, k, v, scale)  # type: ignore[no-untyped-call]
    return out


def _halves(rows: Tensor) -> tuple[Tensor, Tensor]:
    """F in sequence order and R reversed, each contiguous: the orders in which they see their past."""
    forward, backward = rows.chunk(2, dim=2)
    return forward.contiguous(), backward.flip(2)


def _join(forward: Tensor, backward_reversed: Tensor) -> Tensor:
    return torch.cat((forward, backward_reversed.flip(2)), dim=2)


def _across(rows: Tensor) -> Tensor:
    """The queries of one stream in the order in which they see the other: reversed, first two left out."""
    return rows.flip(2)[:, :, 2:]


def _merge_across(own: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """A stream's attention to itself merged with that to the other stream, whose rows come as `_across`.

    The last two rows see nothing of the other stream and keep what they have.
    """
    merged = merge((own[0][:, :, :-2], own[1][:, :, :-2]), (other[0].flip(2), other[1].flip(2)))
    out, lse = (torch.cat((part, whole[:, :, -2:]), dim=2) for part, whole in zip(merged, own, strict=True))
    return out, lse


class _JanusAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        (qf, qr), (kf, kr), (vf, vr) = _halves(q), _halves(k), _halves(v)

        def attend(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
            return flash(q, k, v, scale, causal=True)

        forward = _merge_across(attend(qf, kf, vf), attend(_across(qf), kr[:, :, :-2], vr[:, :, :-2]))
        backward = _merge_across(attend(qr, kr, vr), attend(_across(qr), kf[:, :, :-2], vf[:, :, :-2]))
        ctx.scale = scale
        ctx.save_for_backward(qf, qr, kf, kr, vf, vr, *forward, *backward)
        return _join(forward[0], backward[0])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        qf, qr, kf, kr, vf, vr, out_f, lse_f, out_r, lse_r = ctx.saved_tensors
        dout_f, dout_r = _halves(grads[0])

        def backward(*operands: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            dq, dk, dv = flash_backward(*operands, 0.0, True, scale=ctx.scale)
            return dq, dk, dv

        def share(
            dout: Tensor,
            q: Tensor,
            out: Tensor,
            lse: Tensor,
            own: tuple[Tensor, Tensor],
            other: tuple[Tensor, Tensor],
        ) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
            dq, dk, dv = backward(dout, q, *own, out, lse)
            dout_x, q_x = (_across(rows).contiguous() for rows in (dout, q))
            k, v = (rows[:, :, :-2] for rows in other)
            dq_x, dk_x, dv_x = backward(dout_x, q_x, k, v, _across(out), _across(lse))
            dq[:, :, :-2] += dq_x.flip(2)
            return dq, (dk, dv), (dk_x, dv_x)

        dqf, own_f, cross_r = share(dout_f, qf, out_f, lse_f, (kf, vf), (kr, vr))
        dqr, own_r, cross_f = share(dout_r, qr, out_r, lse_r, (kr, vr), (kf, vf))
        for own, cross in ((own_f, cross_f), (own_r, cross_r)):
            for whole, part in zip(own, cross, strict=True):
                whole[:, :, :-2] += part
        return _join(dqf, dqr), _join(own_f[0], own_r[0]), _join(own_f[1], own_r[1]), None


def janus_attention_rows(q: Tensor, k: Tensor, v: Tensor, targets: Tensor, scale: float) -> Tensor:
    """The fusion's rows that predict `targets`, and no others.

    Position t is predicted from the query rows F_{t-1} and R_{t+1}. The mask gives both the same
    keys: F_k with k < t and R_k with k > t.

    Args:
        q: (B, H, n, 2, c): for each target the rows F_{t-1} and R_{t+1}; what stands in place of
            a row outside the sequence is computed and means nothing.
        k, v: (B, H, 2T, c), rows [F; R].
        targets: (B, n), 0-based.
        scale: Factor on the query-key products.

    Returns:
        (B, H, n, 2, c).
    """
    elements = 2 * k.shape[2] * k.shape[0]
    block = max(1, _MASK_ELEMENTS // elements)
    spans = zip(q.split(block, dim=2), targets.split(block, dim=1), strict=True)
    return torch.cat([_rows(queries, k, v, at, scale) for queries, at in spans], dim=2)


def _rows(q: Tensor, k: Tensor, v: Tensor, targets: Tensor, scale: float) -> Tensor:
    batch, count = q.shape[0], q.shape[2]
    length = k.shape[2] // 2
    last, first = int(targets.max()), int(targets.min())
    # No target sees F from the last one on, nor R up to the first one.
    kept = torch.cat((torch.arange(last), torch.arange(length + first + 1, 2 * length)), dim=0).to(k.device)
    position = kept % length
    seen = torch.where(kept < length, position < targets[..., None], position > targets[..., None])
    mask = seen[:, None, :, None].expand(batch, 1, count, 2, len(kept)).flatten(2, 3)
    keys = torch.cat((k[:, :, :last], k[:, :, length + first + 1 :]), dim=2)
    values = torch.cat((v[:, :, :last], v[:, :, length + first + 1 :]), dim=2)
    out: Tensor = functional.scaled_dot_product_attention(q.flatten(2, 3), keys, values, mask, scale=scale)
    rows: Tensor = out.unflatten(2, (count, 2))
    return rows
