"""JanusDNA and the networks that one would run instead, of random weights and of the sizes of the real ones.

Time and memory follow the sizes; what the networks say means nothing. Each reads one strand of one window,
bases (1, T) that count A, C, G, T from 0, and makes logits of all its tokens, unless its name says otherwise.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import made_up
import torch
from torch import Tensor, nn
from torch.nn import functional

from janusdna import ModelConfig, preset, tokens

__all__ = [
    "NETWORKS",
    "QUADRATIC",
    "HyenaDNA",
    "LongConvolution",
    "NucleotideTransformer",
    "Read",
    "six_mers",
]

Read = Callable[[Tensor], object]
# What makes a network for windows of so many bases, given a clone of the reference implementation.
Make = Callable[[int, Path | None], Read]

# The six-mers of the Nucleotide Transformer begin after its special tokens; single bases and N follow them.
_CLS, _SIX_MERS, _SINGLE, _SIX_MER_VOCABULARY = 3, 6, 6 + 4**6, 6 + 4**6 + 5
# The digits of its alphabet, in which T comes second.
_DIGITS = (0, 2, 3, 1)
# A name that the reference's package has here: its own is the name of ours.
_REFERENCE = "reference_janusdna"


def janusdna(name: str, *, one: bool) -> Read:
    """This project's network: its middle base alone, as `llr` needs it, or every position."""
    model = made_up.make_model(name)

    def read(bases: Tensor) -> object:
        return model.read(bases + tokens.A, torch.tensor([[bases.shape[1] // 2]]) if one else None)

    return read


def reference(clone: Path | None, config: ModelConfig) -> Read:
    """The network as its authors compute it on a CPU, from a clone of their repository, Qihao-Duan/JanusDNA.

    Their code needs transformers below 5, wandb, and a C++ compiler, with which PyTorch compiles the fusion.

    Raises:
        ImportError: If there is no clone, or if what it needs is not installed.
    """
    if clone is None:
        raise ImportError("needs --reference, a clone of Qihao-Duan/JanusDNA")
    if not (clone / "janusdna" / "modeling_janusdna.py").exists():
        raise ImportError(f"{clone} holds no janusdna/modeling_janusdna.py: expected a clone")
    package = ModuleType(_REFERENCE)
    package.__path__ = [str(clone / "janusdna")]
    sys.modules[_REFERENCE] = package
    settings = importlib.import_module(f"{_REFERENCE}.configuration_janusdna").JanusDNAConfig(
        **_reference_settings(config)
    )
    network = importlib.import_module(f"{_REFERENCE}.modeling_janusdna").JanusDNAForCausalLM(settings)
    # Eager attention would make a mask of (2T)^2 that no layer of these sizes looks at.
    settings._attn_implementation = "flash_attention_2"
    return _reader(network, lambda bases: bases + tokens.A)


def _reference_settings(config: ModelConfig) -> dict[str, Any]:
    """A network without mid attention in the reference's terms, with what runs on a CPU."""
    return {
        "vocab_size": len(tokens.TOKENS),
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "flex_attn_n_embd": config.fusion_scale_width,
        "num_experts": config.num_experts,
        "num_experts_per_tok": config.experts_per_token,
        "attn_layer_offset": 100,
        "final_attention": True,
        "mid_single_direction_attention": True,
        "output_router_logits": False,
        "use_cache": False,
        "use_mamba_kernels": False,
        "attn_implementation": "eager",
    }


def mambapy(width: int, layers: int) -> Read:
    """Two stacks of mambapy's Mamba, one for each direction, with the inner norms that the streams have.

    Raises:
        ImportError: If mambapy is not installed.
    """
    try:
        from mambapy.mamba import Mamba, MambaConfig
    except ImportError:
        raise ImportError("mambapy is not installed: pip install mambapy") from None
    config = MambaConfig(d_model=width, n_layers=layers, inner_layernorms=True)
    return _reader(TwoDirections(width, Mamba(config), Mamba(config)), lambda bases: bases + tokens.A)


class TwoDirections(nn.Module):
    """Two causal stacks, one of which reads from the end, and a head over their sum."""

    def __init__(self, width: int, ahead: nn.Module, back: nn.Module) -> None:
        super().__init__()
        self.embedding = nn.Embedding(16, width)
        self.ahead, self.back = ahead, back
        self.head = nn.Linear(width, 16, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (1, T, 16)."""
        embedded = self.embedding(ids)
        found: Tensor = self.head(self.ahead(embedded) + self.back(embedded.flip(1)).flip(1))
        return found


class NucleotideTransformer(nn.Module):
    """Nucleotide Transformer v2 without its rotation of queries and keys, which takes hardly any time.

    The sizes are those of 50m. Six bases are a token.
    """

    def __init__(self, width: int = 512, layers: int = 12, heads: int = 16, inner: int = 2048) -> None:
        super().__init__()
        self.embedding = nn.Embedding(_SIX_MER_VOCABULARY, width)
        self.layers = nn.Sequential(*(EncoderLayer(width, heads, inner) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width), nn.Linear(width, _SIX_MER_VOCABULARY)
        )

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (1, tokens, 4107)."""
        found: Tensor = self.head(self.norm(self.layers(self.embedding(ids))))
        return found


class EncoderLayer(nn.Module):
    """Attention and a gated feed-forward, each behind a norm."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention_in, self.attention_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed_in = nn.Linear(width, 2 * inner, bias=False)
        self.feed_out = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(1, tokens, width) to the same."""
        parts = self.attention_in(self.attention_norm(x)).chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        seen = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.attention_out(seen.transpose(1, 2).flatten(2))
        gate, value = self.feed_in(self.feed_norm(x)).chunk(2, dim=-1)
        found: Tensor = x + self.feed_out(functional.silu(gate) * value)
        return found


def six_mers(bases: Tensor) -> Tensor:
    """Tokens of the Nucleotide Transformer: [CLS], the six-mers from the left, what is left base by base."""
    digits = torch.tensor(_DIGITS)[bases]
    whole = bases.shape[1] // 6 * 6
    places = 4 ** torch.arange(5, -1, -1)
    found = (digits[:, :whole].unflatten(1, (-1, 6)) * places).sum(-1) + _SIX_MERS
    return torch.cat([torch.full((len(bases), 1), _CLS), found, digits[:, whole:] + _SINGLE], dim=1)


class HyenaDNA(nn.Module):
    """HyenaDNA for windows up to `longest`, Nguyen et al., arXiv 2306.15794: it sees what is left of a base.

    Its authors compute the long filters anew in each pass; here that is done once, before the first.
    """

    def __init__(self, width: int, layers: int, longest: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(16, width)
        self.layers = nn.Sequential(*(HyenaLayer(width, longest) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 16, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (1, T, 16)."""
        found: Tensor = self.head(self.norm(self.layers(self.embedding(ids))))
        return found


class HyenaLayer(nn.Module):
    """Hyena's operator of order 2 and a feed-forward of four times the width, each behind a norm."""

    def __init__(self, width: int, longest: int) -> None:
        super().__init__()
        self.mixer_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.short = nn.Conv1d(3 * width, 3 * width, 3, padding=2, groups=3 * width)
        self.long = LongConvolution(width, longest)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(1, T, width) to the same."""
        mixed = self.short(self.inward(self.mixer_norm(x)).transpose(1, 2))[..., : x.shape[1]]
        last, first, value = mixed.chunk(3, dim=1)
        x = x + self.outward((last * self.long(first * value)).transpose(1, 2))
        found: Tensor = x + self.feed(self.feed_norm(x))
        return found


class LongConvolution(nn.Module):
    """A causal convolution as long as the window, by FFT; a small network makes its filters of positions."""

    def __init__(self, width: int, longest: int, order: int = 64, features: int = 5) -> None:
        super().__init__()
        self.width, self.longest, self.features = width, longest, features
        self.inner = nn.ModuleList(nn.Linear(size, order) for size in (features, order, order))
        self.frequency = nn.Parameter(torch.full((order,), 10.0))
        self.last = nn.Linear(order, width, bias=False)
        self.skip = nn.Parameter(torch.randn(width))

    def forward(self, x: Tensor) -> Tensor:
        """(1, width, T) to the same; T is `longest` at most."""
        size = 2 * self.longest
        found = torch.fft.irfft(torch.fft.rfft(x, n=size) * self.spectrum, n=size)
        return found[..., : x.shape[-1]] + self.skip[:, None] * x

    @cached_property
    def spectrum(self) -> Tensor:
        """The filters transformed, (width, longest + 1)."""
        return torch.fft.rfft(self.filters(), n=2 * self.longest)

    def filters(self) -> Tensor:
        """(width, longest): sines of sines of the positions, which fade with the distance."""
        at = torch.arange(self.longest) / (self.longest - 1)
        bands = torch.linspace(1e-4, (self.features - 1) // 2 - 1, (self.features - 1) // 2)
        angles = 2 * math.pi * torch.arange(self.longest)[:, None] / self.longest * bands
        x = torch.cat([at[:, None], angles.cos(), -angles.sin()], dim=1)
        for layer in self.inner:
            x = torch.sin(self.frequency * layer(x))
        fading = torch.linspace(math.log(100) / 1.5, math.log(100) / 0.3, self.width)
        return (self.last(x) * (torch.exp(-at[:, None] * fading) + 0.05)).T.contiguous()


def _reader(network: nn.Module, tokens_of: Callable[[Tensor], Tensor]) -> Read:
    network.eval()

    @torch.inference_mode()
    def read(bases: Tensor) -> object:
        return network(tokens_of(bases))

    return read


def _hyenadna(width: int, layers: int) -> Make:
    return lambda window, _: _reader(HyenaDNA(width, layers, window), lambda bases: bases + tokens.A)


def _beside(name: str) -> dict[str, Make]:
    """A preset, and networks of its width and depth."""
    config, size = preset(name), name.removeprefix("janusdna-")
    return {
        f"janusdna-{size}-one": lambda *_: janusdna(name, one=True),
        f"janusdna-{size}-all": lambda *_: janusdna(name, one=False),
        f"reference-{size}": lambda _, clone: reference(clone, config),
        f"mambapy-{size}": lambda *_: mambapy(config.hidden_size, config.num_layers),
        f"hyena-{size}": _hyenadna(config.hidden_size, config.num_layers),
    }


NETWORKS: dict[str, Make] = {
    **_beside("janusdna-72"),
    **_beside("janusdna-144"),
    "hyenadna-medium-160k": _hyenadna(256, 8),
    "nucleotide-transformer-50m": lambda *_: _reader(NucleotideTransformer(), six_mers),
}
# Each of their positions attends to all others: time grows with the square of the window.
QUADRATIC = frozenset(
    name for name in NETWORKS if name.endswith("-all") or name.startswith(("reference", "nucleotide"))
)
