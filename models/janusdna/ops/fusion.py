"""The Janus fusion as four causal attentions, merged two and two by their log-sum-exp.

    part     queries                 keys and values
    F on F   F                       F
    R on F   R without first two     F without last two
    R on R   R reversed              R reversed
    F on R   F reversed, w/o first 2 R reversed, w/o last 2

Each part is plain causal attention, so a fused flash kernel computes it without a T x T tensor. The
backward pass is exact as well: a part's flash backward, given the merged output and the merged
log-sum-exp, returns its share of the gradient (as ring attention does, arXiv 2310.01889).

Legend: B batch, H heads, T tokens, c head size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from janusdna.ops.attention import Partial, attend, attend_backward, merge, padded

__all__ = ["janus_attention"]


def janus_attention(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    """As `reference.janus_attention`: (B, H, 2T, c) in and out, T >= 3."""
    size = q.shape[-1]
    out: Tensor = _JanusAttention.apply(padded(q), padded(k), padded(v), scale)  # type: ignore[no-untyped-call]
    return out[..., :size]


def _halves(rows: Tensor) -> tuple[Tensor, Tensor]:
    """F in sequence order and R reversed, each contiguous: the orders in which they see their past."""
    forward, backward = rows.chunk(2, dim=2)
    return forward.contiguous(), backward.flip(2)


def _join(forward: Tensor, backward_reversed: Tensor) -> Tensor:
    return torch.cat((forward, backward_reversed.flip(2)), dim=2)


def _across(rows: Tensor) -> Tensor:
    """The queries of one stream in the order in which they see the other: reversed, first two left out."""
    return rows.flip(2)[:, :, 2:]


def _merge_across(own: Partial, other: Partial) -> Partial:
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

        def look(q: Tensor, k: Tensor, v: Tensor) -> Partial:
            return attend(q, k, v, scale, causal=True)

        forward = _merge_across(look(qf, kf, vf), look(_across(qf), kr[:, :, :-2], vr[:, :, :-2]))
        backward = _merge_across(look(qr, kr, vr), look(_across(qr), kf[:, :, :-2], vf[:, :, :-2]))
        ctx.scale = scale
        ctx.save_for_backward(qf, qr, kf, kr, vf, vr, *forward, *backward)
        return _join(forward[0], backward[0])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        qf, qr, kf, kr, vf, vr, out_f, lse_f, out_r, lse_r = ctx.saved_tensors
        dout_f, dout_r = _halves(grads[0])

        def share(
            dout: Tensor,
            q: Tensor,
            out: Tensor,
            lse: Tensor,
            own: tuple[Tensor, Tensor],
            other: tuple[Tensor, Tensor],
        ) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
            dq, dk, dv = attend_backward(dout, q, *own, out, lse, ctx.scale)
            dout_x, q_x = (_across(rows).contiguous() for rows in (dout, q))
            k, v = (rows[:, :, :-2] for rows in other)
            merged = _across(out), _across(lse)
            dq_x, dk_x, dv_x = attend_backward(dout_x, q_x, k, v, *merged, ctx.scale)
            dq[:, :, :-2] += dq_x.flip(2)
            return dq, (dk, dv), (dk_x, dv_x)

        dqf, own_f, cross_r = share(dout_f, qf, out_f, lse_f, (kf, vf), (kr, vr))
        dqr, own_r, cross_f = share(dout_r, qr, out_r, lse_r, (kr, vr), (kf, vf))
        for own, cross in ((own_f, cross_f), (own_r, cross_r)):
            for whole, part in zip(own, cross, strict=True):
                whole[:, :, :-2] += part
        return _join(dqf, dqr), _join(own_f[0], own_r[0]), _join(own_f[1], own_r[1]), None
