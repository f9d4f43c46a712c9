"""What a training is told, without PyTorch: what for, and how the weights move."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["MASK_SHARE", "OBJECTIVES", "OPTIMIZERS", "Objective", "Optimizer", "Recipe"]

Objective = Literal["janus", "mlm", "clm"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
Optimizer = Literal["adamw", "muon"]
OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)

# Of the bases, those that mlm predicts. Source: Devlin et al., arXiv 1810.04805.
MASK_SHARE = 0.15


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the weights move.

    Attributes:
        max_steps: Steps in all.
        optimizer: "adamw", or "muon" for the matrices and AdamW for the rest.
        lr: Learning rate at the top.
        warmup: Share of the steps in which it rises to there, in a straight line.
        warmup_lr: Where it starts.
        min_lr: Where it ends, along a cosine.
        beta1, beta2, eps: Of AdamW.
        momentum: Of Muon.
        weight_decay: Of all weights but those of norms, biases, A_log and D.
        clip: Longest gradient; longer ones are shortened to it.

    Source: Duan et al., arXiv 2505.17257, appendix; it has AdamW alone.
    """

    max_steps: int = 10_000
    optimizer: Optimizer = "adamw"
    lr: float = 8e-3
    warmup: float = 0.1
    warmup_lr: float = 1e-6
    min_lr: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    momentum: float = 0.95
    weight_decay: float = 0.1
    clip: float = 1.0

    def lr_at(self, step: int) -> float:
        """The learning rate of a step, 1 to max_steps."""
        rising = round(self.warmup * self.max_steps)
        if step <= rising:
            return self.warmup_lr + (self.lr - self.warmup_lr) * step / rising
        along = (step - rising) / max(1, self.max_steps - rising)
        return self.min_lr + (self.lr - self.min_lr) * (1 + math.cos(math.pi * along)) / 2
