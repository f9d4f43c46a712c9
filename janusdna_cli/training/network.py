"""A network as a training needs it: fresh or from a checkpoint, on its device, with its kernels."""

from __future__ import annotations

import dataclasses

import torch

from janusdna.checkpoint import Checkpoint, build
from janusdna.config import ModelConfig
from janusdna.nn.model import JanusDNA
from janusdna.ops.backends import choose_kernels

__all__ = ["network_to_train"]


def network_to_train(
    config: ModelConfig,
    source: Checkpoint | None,
    *,
    device: torch.device,
    dtype: torch.dtype,
    kernels: str,
    seed: int,
) -> JanusDNA:
    """A network with weights in float32.

    Args:
        config: Its sizes.
        source: Its weights, which stay as they are; None for fresh ones.
        device: Where it computes.
        dtype: What products are computed in.
        kernels: Who computes: "auto" or a name.
        seed: Of fresh weights, and of all chance after.
    """
    chosen = choose_kernels(device, dtype, states=config.state_size, preference=kernels)
    # Whole windows: a validation has to tell how the experts are used as a step does.
    chosen = dataclasses.replace(chosen, chunk_values=None)
    torch.manual_seed(seed)
    if source is None:
        network = JanusDNA(config, chosen)
    else:
        # Copies: a training moves its weights in place, and others begin with the same ones.
        copies = {name: tensor.clone() for name, tensor in source.tensors.items()}
        network = build(dataclasses.replace(source, config=config, tensors=copies), chosen)
    return network.float().to(device)
