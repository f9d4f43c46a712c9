"""The golden cases: their settings, weights and windows, drawn to the same bits on every processor.

Weights and windows come from the legacy generator of NumPy, whose stream is frozen, by integers and exact
products alone; so only what is expected of them has to be kept.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

LENGTHS = (3, 17, 256)
MASK, PAD, BASES = 3, 4, (7, 8, 9, 10)
_VOCABULARY, _STATES, _TAPS = 16, 16, 4
_STEP = 2.0**-23


@dataclass(frozen=True)
class Case:
    """One small network.

    Attributes:
        name: Of the case and its files.
        width: d.
        mid_attention: Whether layer 4 is one of attention.
        final_mlp: Whether an MLP stands before the head.
        seed: Of its weights and windows: one at which no two experts are nearly tied.
    """

    name: str
    width: int
    mid_attention: bool
    final_mlp: bool
    seed: int

    @property
    def settings(self) -> dict[str, Any]:
        """What a `model_config.json` says of it."""
        return {
            "hidden_size": self.width,
            "intermediate_size": 2 * self.width,
            "flex_attn_n_embd": 64,
            "num_hidden_layers": 6,
            "num_attention_heads": 4,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "rms_norm_eps": 1e-6,
            "router_aux_loss_coef": 0.2,
        }


CASES = (
    Case("midattn-mlp", width=24, mid_attention=True, final_mlp=True, seed=0),
    Case("midattn-nomlp", width=20, mid_attention=True, final_mlp=False, seed=7),
    Case("nomidattn-mlp", width=20, mid_attention=False, final_mlp=True, seed=66),
    Case("nomidattn-nomlp", width=24, mid_attention=False, final_mlp=False, seed=82),
)


class Windows(NamedTuple):
    """Windows (B, T), what they look like where some bases are masked, and how much each position counts."""

    ids: Tensor
    masked: Tensor
    weights: Tensor
    chosen: Tensor

    def example(self, objective: str) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs, labels and weights of an objective."""
        counted = self.weights.clone()
        if objective == "clm":
            counted[:, 0] = 0
        if objective == "mlm":
            return self.masked, self.ids, counted * self.chosen
        return self.ids, self.ids, counted


def draw_weights(case: Case) -> dict[str, Tensor]:
    """By the names of the authors' implementation, in float32."""
    draw = np.random.RandomState(case.seed)
    return {name: _draw(draw, name, shape) for name, shape in _shapes(case)}


def draw_windows(case: Case, length: int) -> Windows:
    """Two short windows or a long one; one position in ten is no base."""
    draw = np.random.RandomState(1000 * length + case.seed)
    shape = (1 if length > 100 else 2, length)
    ids = np.array(BASES)[draw.randint(0, 4, shape)]
    ids = np.where(draw.randint(0, 10, shape) == 0, PAD, ids)
    ids[:, 1] = BASES[2]
    chosen = draw.randint(0, 3, shape) == 0
    chosen[:, 1] = True
    weights = np.where(ids == PAD, 0, draw.randint(1, 5, shape) / 4)
    masked = np.where(chosen & (ids != PAD), MASK, ids)
    return Windows(*(torch.from_numpy(part) for part in (ids, masked, weights, chosen)))


def sha256(weights: dict[str, Tensor]) -> str:
    """Of names and values in order."""
    digest = hashlib.sha256()
    for name, tensor in weights.items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def write_checkpoint(case: Case, folder: Path) -> Path:
    """The two files that a run of the authors' implementation leaves behind."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {f"model.{name}": tensor for name, tensor in draw_weights(case).items()}
    for name in [name for name in state if "mamba_fwd.in_proj" in name or "mamba_fwd.out_proj" in name]:
        state[name.replace("mamba_fwd", "mamba_rev")] = state[name].clone()
    torch.save({"state_dict": state}, folder / "last.ckpt")
    (folder / "model_config.json").write_text(json.dumps({"config": case.settings}))
    return folder


def _draw(draw: np.random.RandomState, name: str, shape: tuple[int, ...]) -> Tensor:
    """Multiples of 2^-23 between -1 and 1, moved and scaled to where the parameter's kind lies."""
    about_one = name.endswith((".D", "norm.weight")) or "layernorm" in name
    middle = 1.0 if about_one or name.endswith("A_log") else 0.0
    spread = 0.25
    if name.endswith(("A_log", "conv1d.weight", "router.weight", "embed_tokens.weight")):
        spread = 1.0
    units = draw.randint(-(2**23), 2**23 + 1, shape) * _STEP
    return torch.from_numpy((middle + spread * units).astype(np.float32))


def _shapes(case: Case) -> Iterator[tuple[str, tuple[int, ...]]]:
    d = case.width
    yield "model.embed_tokens.weight", (_VOCABULARY, d)
    for number in range(case.settings["num_hidden_layers"]):
        if case.mid_attention and number == 4:
            layer = f"model.layers.{number}.attn"
            for direction in ("fwd", "bwd"):
                yield from _projections(f"{layer}.self_attn_{direction}", d, "qkvo")
        else:
            layer = f"model.layers.{number}.mamba_module"
            yield from _mamba(layer, d)
        for direction in ("fwd", "bwd"):
            yield f"{layer}.input_layernorm_{direction}.weight", (d,)
            yield f"{layer}.pre_ff_layernorm_{direction}.weight", (d,)
            yield from _feed_forward(f"{layer}.feed_forward_{direction}", case, experts=number % 2 == 1)
    yield "model.final_layernorm.weight", (d,)
    fusion = "model.final_attention"
    yield from _projections(f"{fusion}.self_attn", d, "qkv")
    yield f"{fusion}.self_attn.o_projs.0.weight", (d, d)
    yield from _swiglu(f"{fusion}.feed_forward", case)
    yield f"{fusion}.input_layernorm.weight", (d,)
    yield f"{fusion}.pre_ff_layernorm.weight", (d,)
    if case.final_mlp:
        yield "model.final_mlp.0.weight", (2 * d, d)
        yield "model.final_mlp.0.bias", (2 * d,)
        yield "model.final_mlp.2.weight", (d, 2 * d)
        yield "model.final_mlp.2.bias", (d,)
    yield "lm_head.weight", (_VOCABULARY, d)


def _mamba(layer: str, d: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    inner, rank = 2 * d, -(-d // 16)
    yield f"{layer}.mamba_fwd.in_proj.weight", (2 * inner, d)
    yield f"{layer}.mamba_fwd.out_proj.weight", (d, inner)
    for mixer in (f"{layer}.mamba_fwd", f"{layer}.mamba_rev"):
        yield f"{mixer}.A_log", (inner, _STATES)
        yield f"{mixer}.D", (inner,)
        yield f"{mixer}.conv1d.weight", (inner, 1, _TAPS)
        yield f"{mixer}.conv1d.bias", (inner,)
        yield f"{mixer}.x_proj.weight", (rank + 2 * _STATES, inner)
        yield f"{mixer}.dt_proj.weight", (inner, rank)
        yield f"{mixer}.dt_proj.bias", (inner,)
        for part, size in (("dt", rank), ("b", _STATES), ("c", _STATES)):
            yield f"{mixer}.{part}_layernorm.weight", (size,)


def _feed_forward(name: str, case: Case, *, experts: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    if not experts:
        yield from _swiglu(name, case)
        return
    count = case.settings["num_experts"]
    yield f"{name}.router.weight", (count, case.width)
    for expert in range(count):
        yield from _swiglu(f"{name}.experts.{expert}", case)


def _swiglu(name: str, case: Case) -> Iterator[tuple[str, tuple[int, ...]]]:
    d, inner = case.width, case.settings["intermediate_size"]
    yield f"{name}.gate_proj.weight", (inner, d)
    yield f"{name}.up_proj.weight", (inner, d)
    yield f"{name}.down_proj.weight", (d, inner)


def _projections(name: str, d: int, letters: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for letter in letters:
        yield f"{name}.{letter}_proj.weight", (d, d)
