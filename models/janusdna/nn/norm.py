"""Root mean square normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from janusdna.ops.backends import Kernels

__all__ = ["RMSNorm"]


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) in at least float32, times a weight; in the weight's dtype.

    Source: Zhang and Sennrich, arXiv 1910.07467.
    """

    def __init__(self, size: int, *, eps: float, kernels: Kernels) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.kernels = kernels

    def forward(self, x: Tensor) -> Tensor:
        """(..., size) in and out."""
        out: Tensor = self.kernels.norm(x, self.weight, self.eps)
        return out
