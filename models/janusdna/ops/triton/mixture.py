"""A mixture of SwiGLU experts on a GPU: tokens sorted by expert, one grouped product for all of them.

Nothing here waits for the GPU: how many tokens visit an expert stays on it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from janusdna.ops import reference
from janusdna.ops.triton.swiglu import swiglu

__all__ = ["mixture"]


def mixture(
    tokens: Tensor, logits: Tensor, gate_up: Tensor, down: Tensor, experts_per_token: int
) -> tuple[Tensor, Tensor, Tensor]:
    """As `reference.mixture`; products in bfloat16 where autocast asks for it."""
    probabilities, weights, choices = reference.routed(logits, experts_per_token)
    chosen = choices.flatten()
    order = chosen.argsort(stable=True)
    loads = torch.zeros(len(down), dtype=torch.int32, device=tokens.device)
    loads.scatter_add_(0, chosen, torch.ones_like(chosen, dtype=torch.int32))
    ends = loads.cumsum(0, dtype=torch.int32)
    dtype = _product_dtype(tokens)
    visiting = tokens.to(dtype)[order // experts_per_token]
    widened = functional.grouped_mm(visiting, gate_up.to(dtype).mT, offs=ends)
    answers = functional.grouped_mm(swiglu(widened), down.to(dtype).mT, offs=ends)
    by_token = torch.empty_like(answers).index_copy(0, order, answers).unflatten(0, (-1, experts_per_token))
    return (by_token * weights[..., None].to(dtype)).sum(dim=1), probabilities, choices


def _product_dtype(tokens: Tensor) -> torch.dtype:
    kind = tokens.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else tokens.dtype
