"""The sizes of a JanusDNA network and the published presets.

Source: Duan et al., NeurIPS 2025 (arXiv 2505.17257), section 4 and its appendix.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from janusdna.errors import ConfigError

__all__ = ["MIN_LENGTH", "PRESETS", "ModelConfig", "preset"]

# Bases of a sequence at least, so that a position has two neighbours.
MIN_LENGTH = 3


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """All that decides the shape and the arithmetic of a network.

    Attributes:
        hidden_size: Width d of the residual streams.
        num_layers: Layers L of each stream before the fusion.
        intermediate_size: Width of a SwiGLU and of each expert, as published 4d.
        num_heads: Attention heads H, in the fusion and in mid attention.
        fusion_scale_width: Width whose share per head sets the fusion's scale,
            1/sqrt(fusion_scale_width / H); the reference pads its heads with zeros up to it.
        num_experts: Experts E of a mixture.
        experts_per_token: Experts that one token visits.
        expert_layers: Layers whose feed-forward is a mixture of experts; the others have one SwiGLU.
        attention_layers: Layers that mix by causal attention; the others mix by Mamba.
        expand: d_in / d of the Mamba mixer.
        state_size: States N of each Mamba channel.
        conv_kernel: Taps of the causal depthwise convolution.
        vocab_size: Rows of the embedding and of the head.
        final_mlp: Whether an MLP stands between the last norm and the head.
        rms_norm_eps: Added to the mean square in every RMSNorm.
        router_aux_loss_coef: Weight of the load-balancing loss.
        trained_length: Window the weights were trained on, in bases; None where nobody knows.

    Raises:
        ConfigError: If the numbers describe no network.
    """

    hidden_size: int
    num_layers: int = 8
    intermediate_size: int
    num_heads: int = 4
    fusion_scale_width: int
    num_experts: int = 16
    experts_per_token: int = 2
    expert_layers: tuple[int, ...] = (1, 3, 5, 7)
    attention_layers: tuple[int, ...] = ()
    expand: int = 2
    state_size: int = 16
    conv_kernel: int = 4
    vocab_size: int = 16
    final_mlp: bool = True
    rms_norm_eps: float = 1e-6
    router_aux_loss_coef: float = 0.2
    trained_length: int | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "int" and (type(value) is not int or value < 1):
                raise ConfigError(f"{field.name} is {value!r}: expected a positive whole number")
        length = self.trained_length
        if length is not None and (type(length) is not int or length < 1):
            raise ConfigError(f"trained_length is {length!r}: expected a positive whole number or null")
        for name in ("expert_layers", "attention_layers"):
            layers = tuple(getattr(self, name))
            object.__setattr__(self, name, layers)
            if outside := [layer for layer in layers if layer not in range(self.num_layers)]:
                raise ConfigError(f"{name} names layer {outside[0]!r}: there are {self.num_layers} layers")
        if self.hidden_size % self.num_heads:
            raise ConfigError(
                f"hidden_size {self.hidden_size} is not a multiple of num_heads {self.num_heads}"
            )
        if self.experts_per_token > self.num_experts:
            raise ConfigError(
                f"experts_per_token {self.experts_per_token} exceeds num_experts {self.num_experts}"
            )
        if self.vocab_size < 12:
            raise ConfigError(f"vocab_size is {self.vocab_size}: expected at least the 12 tokens")

    @property
    def inner_size(self) -> int:
        """Channels d_in of the Mamba mixer."""
        return self.expand * self.hidden_size

    @property
    def dt_rank(self) -> int:
        """Rank of the projection that makes the step size delta."""
        return math.ceil(self.hidden_size / 16)

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_heads

    @property
    def fusion_scale(self) -> float:
        """Factor on the fusion's query-key products."""
        return 1 / math.sqrt(self.fusion_scale_width / self.num_heads)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """The inverse of `to_dict`.

        Raises:
            ConfigError: At an unknown or missing field, or at a value of the wrong kind.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ConfigError(f"unknown configuration fields: {', '.join(unknown)}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(str(error).removeprefix("ModelConfig.__init__() ")) from None


def _published(hidden_size: int, *, scale_width: int, length: int, mid_attention: bool) -> ModelConfig:
    return ModelConfig(
        hidden_size=hidden_size,
        intermediate_size=4 * hidden_size,
        fusion_scale_width=scale_width,
        attention_layers=(4,) if mid_attention else (),
        trained_length=length,
    )


PRESETS = {
    "janusdna-32": _published(32, scale_width=64, length=1024, mid_attention=False),
    "janusdna-32-midattn": _published(32, scale_width=64, length=1024, mid_attention=True),
    "janusdna-72": _published(72, scale_width=128, length=1024, mid_attention=False),
    "janusdna-72-midattn": _published(72, scale_width=128, length=1024, mid_attention=True),
    "janusdna-144": _published(144, scale_width=256, length=131072, mid_attention=False),
}


def preset(name: str) -> ModelConfig:
    """The published configuration called `name`, with the final MLP of new models.

    Raises:
        ConfigError: If there is none of that name.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise ConfigError(f"no preset is called {name!r}: expected one of {', '.join(PRESETS)}") from None
