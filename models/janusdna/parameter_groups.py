"""What a parameter is, and so which optimiser moves it: told by the module that holds it, not by its name.

| role | parameters | decays | `muon` moves it by |
|---|---|---|---|
| scale | norms' weights, biases and whatever else is one number a channel; A_log | no | AdamW |
| rows | embeddings, read-outs, convolutions: each row or tap for itself | yes | AdamW |
| matrix | the others, and stacks of them: from hidden states to hidden states | yes | Muon |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import nn

from janusdna.muon import Muon
from janusdna.nn.mamba import MambaMixer
from janusdna.nn.readout import Readout
from janusdna.recipe import Recipe

__all__ = ["Role", "optimisers", "roles"]

Role = Literal["scale", "rows", "matrix"]
_ROWS = (nn.Embedding, nn.Conv1d, Readout)


def roles(network: nn.Module) -> dict[nn.Parameter, Role]:
    """What each parameter of a network is, whatever was added to it."""
    return {
        parameter: _role(owner, leaf, parameter)
        for owner in network.modules()
        for leaf, parameter in owner.named_parameters(recurse=False)
    }


def _role(owner: nn.Module, leaf: str, parameter: nn.Parameter) -> Role:
    if parameter.ndim < 2 or (isinstance(owner, MambaMixer) and leaf == "A_log"):
        return "scale"
    return "rows" if isinstance(owner, _ROWS) else "matrix"


def optimisers(
    network: nn.Module, trained: Mapping[str, nn.Parameter], recipe: Recipe
) -> list[torch.optim.Optimizer]:
    """Optimisers of all parameters that are trained, each parameter in one.

    Args:
        network: What holds them.
        trained: By name.
        recipe: How they move.
    """
    role = roles(network)
    matrices = [p for p in trained.values() if recipe.optimizer == "muon" and role[p] == "matrix"]
    still = [p for p in trained.values() if role[p] == "scale"]
    beside = {*matrices, *still}
    groups = [
        {"params": [p for p in trained.values() if p not in beside], "weight_decay": recipe.weight_decay},
        {"params": still, "weight_decay": 0.0},
    ]
    betas = recipe.beta1, recipe.beta2
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, recipe.lr, betas, recipe.eps)]
    if matrices:
        muon = Muon(matrices, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
        found.append(muon)
    return found
