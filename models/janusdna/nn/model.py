"""The whole network: embedding, two streams, fusion, head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from janusdna.config import MIN_LENGTH, ModelConfig
from janusdna.errors import SequenceError
from janusdna.layers import Layer
from janusdna.nn.attention import CausalSelfAttention
from janusdna.nn.blocks import widest_block
from janusdna.nn.edits import Edit, cut_points
from janusdna.nn.feed_forward import MixtureOfExperts, Routing, SwiGLU
from janusdna.nn.fusion import JanusFusion
from janusdna.nn.mamba import GatedProjections, MambaMixer
from janusdna.nn.norm import RMSNorm
from janusdna.nn.prediction import NO_ROUTINGS, Prediction, Reading, Routings
from janusdna.nn.readout import Readout
from janusdna.nn.stream import Stream, StreamLayer
from janusdna.nn.streams import Streams
from janusdna.nn.target_reading import TargetReading
from janusdna.ops.backends import REFERENCE, Kernels

__all__ = ["JanusDNA", "Sees"]

_INITIAL_SPREAD = 0.02
# What the work on a row beside attention comes to, as pairs of a query and a key.
_PAIRS_OF_A_ROW_PER_WIDTH = 8

# What a prediction of position t is made from: all other positions; all positions, for inputs in which t is
# masked; the positions before t.
Sees = Literal["others", "all", "before"]


class JanusDNA(nn.Module):
    """Two independent Mamba + mixture-of-experts streams, fused so that t is predicted without x_t.

    Args:
        config: The sizes.
        kernels: Who computes scan, convolution and fusion.

    Attributes:
        memory_dtype: What `read` keeps a window's keys and values in; None for the weights' dtype.

    Source: Duan et al., NeurIPS 2025, arXiv 2505.17257.
    """

    def __init__(self, config: ModelConfig, kernels: Kernels = REFERENCE) -> None:
        super().__init__()
        self.config = config
        self.kernels = kernels
        self.memory_dtype: torch.dtype | None = None
        shared = [
            None if i in config.attention_layers else _projections(config) for i in range(config.num_layers)
        ]
        size = config.vocab_size, config.hidden_size
        # Given weights it draws none; on the meta device, drawing would import PyTorch's compiler.
        self.embedding = nn.Embedding(*size, _weight=torch.empty(size))
        self.forward_stream = _stream(config, kernels, shared, reverse=False)
        self.backward_stream = _stream(config, kernels, shared, reverse=True)
        self.fusion = JanusFusion(
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_heads=config.num_heads,
            scale=config.fusion_scale,
            eps=config.rms_norm_eps,
            kernels=kernels,
        )
        self.final_norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps, kernels=kernels)
        self.final_mlp = _final_mlp(config.hidden_size) if config.final_mlp else None
        self.head = Readout(config.hidden_size, config.vocab_size, bias=False)
        if not self.embedding.weight.is_meta:
            self.init_weights()

    def forward(self, ids: Tensor, targets: Tensor | None = None, *, sees: Sees = "others") -> Prediction:
        """Predict `targets` from the other positions of each sequence.

        Args:
            ids: Token ids, (B, T), T >= 3.
            targets: 0-based positions, (B, n); None for every position.
            sees: "others" is what the network is made for; "all" and "before" are for masked and for causal
                training, and "before" uses the forward stream alone.

        Raises:
            SequenceError: If a sequence is too short to have two neighbours anywhere.
        """
        check_length(ids.shape[1])
        plain = sees == "others" and not torch.is_grad_enabled()
        if targets is not None and plain and self.reads_alone(ids, targets):
            reading = self.read(ids, targets)
            return Prediction(reading.hidden, reading.logits, NO_ROUTINGS)
        fused, routings = self._every_position(ids, sees)
        if targets is not None:
            fused = fused.gather(1, targets[..., None].expand(-1, -1, fused.shape[-1]))
        return Prediction(*self._predict(fused), routings)

    def read(self, ids: Tensor, targets: Tensor, edits: Sequence[Edit] = ()) -> Reading:
        """Predict targets, and edited windows near their edits, with no more work than they ask for.

        Without a gradient. An edit costs the bases that are read of it, not its window.

        Args:
            ids: Token ids, (B, T), T >= 3.
            targets: 0-based positions, (B, n), the positions that edits read among them.
            edits: Of these windows; an edited window has at least 3 bases too.

        Raises:
            SequenceError: If a sequence is too short.
        """
        check_length(ids.shape[1], *(ids.shape[1] + edit.shift for edit in edits))
        reading = TargetReading(self.streams, self.fusion, ids, targets, edits, dtype=self.memory_dtype)
        fused, edited = reading.read()
        return Reading(*self._predict(fused), self._read_edits(edited))

    def read_layer(self, ids: Tensor, targets: Tensor, layer: Layer) -> Tensor:
        """A layer's states of some positions, (B, n, d), or (B, n, 2d) of both streams side by side.

        They are the residual stream after that layer, the sum that the next one reads, with no norm. The row
        of position t has seen x_t: `forward` has read the bases up to it and `backward` those from it on. No
        layer above, no other stream and, where no target needs it, no base is walked.

        Args:
            ids: Token ids, (B, T), T >= 3.
            targets: 0-based positions, (B, n).
            layer: Of the streams.

        Raises:
            LayerError: If there is no such layer.
            SequenceError: If a sequence is too short.
        """
        check_length(ids.shape[1])
        layer.check(self.config.num_layers)
        first, last = (int(end) for end in targets.aminmax()) if targets.numel() else (0, 0)

        def read(stream: Stream) -> Tensor:
            start, stop = (first, None) if stream.reverse else (0, last + 1)
            rows, _ = self._walked(stream, ids[:, start:stop], layer.depth)
            return rows.gather(1, (targets - start)[..., None].expand(-1, -1, rows.shape[2]))

        if len(layer.streams) == 2:
            return torch.cat(self.streams.both(read), dim=-1)
        return read(self.forward_stream if layer.streams == ("forward",) else self.backward_stream)

    def _read_edits(self, fused: Sequence[Tensor]) -> tuple[Reading, ...]:
        if not fused:
            return ()
        sizes = [len(states) for states in fused]
        hidden, logits = (part.split(sizes) for part in self._predict(torch.cat(list(fused))))
        return tuple(Reading(*parts) for parts in zip(hidden, logits, strict=True))

    def _predict(self, fused: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states and logits."""
        hidden = self.final_norm(fused)
        if self.final_mlp is not None:
            hidden = hidden + self.final_mlp(hidden)
        return hidden, self.head(hidden)

    @property
    def streams(self) -> Streams:
        """Both directions, as they walk."""
        return Streams(self.embedding, self.forward_stream, self.backward_stream, self.kernels.chunk_values)

    def reads_alone(self, ids: Tensor, targets: Tensor) -> bool:
        """Whether a pass computes the fusion of the targets' own rows alone.

        It does where these cost less than the four causal attentions of all positions, counted in pairs of a
        query and a key.
        """
        (batch, length), asked = ids.shape, targets.shape[1]
        widest = widest_block(length)
        beside = _PAIRS_OF_A_ROW_PER_WIDTH * self.config.hidden_size
        blocks = min(asked, -(-length // widest))
        calls = blocks if self.kernels.targets is None else 1 / batch
        rows = 2 * asked * (length + widest + beside) + calls * self.kernels.block_pairs
        return self.kernels.alone * rows < 2 * length * (length + beside)

    def recompute(self, wanted: bool = True) -> JanusDNA:
        """Keep only what lies between layers for the way back, and compute the rest again."""
        self.forward_stream.recompute = self.backward_stream.recompute = wanted
        return self

    def _every_position(self, ids: Tensor, sees: Sees) -> tuple[Tensor, Routings]:
        if sees == "before":
            forward, routings = self._walked(self.forward_stream, ids)
            return self._fused(self.fusion.from_before, forward), (routings, [])
        (forward, seen_forward), (backward, seen_backward) = self.streams.both(
            lambda stream: self._walked(stream, ids)
        )
        fuse = self.fusion.every_position if sees == "others" else self.fusion.unmasked
        return self._fused(fuse, forward, backward), (seen_forward, seen_backward)

    def _walked(self, stream: Stream, ids: Tensor, depth: int | None = None) -> tuple[Tensor, list[Routing]]:
        """A stream's rows of all positions after its first `depth` layers, (B, T, d), and their routings."""
        cuts = cut_points(ids.shape[1], longest=self.streams.chunk(ids))[1:-1]
        walked = stream.walk(self.embedding, ids, cuts, depth=depth)
        chunks = sorted(walked, key=lambda chunk: chunk.start)
        rows = torch.cat([chunk.rows for chunk in chunks], dim=1)
        return rows, [routing for chunk in chunks for routing in chunk.routings]

    def _fused(self, fuse: Callable[..., Tensor], *streams: Tensor) -> Tensor:
        if not (self.forward_stream.recompute and torch.is_grad_enabled()):
            return fuse(*streams)
        fused: Tensor = checkpoint(fuse, *streams, use_reentrant=False, preserve_rng_state=False)
        return fused

    def parameter_counts(self) -> tuple[int, int]:
        """All parameters, and those that one token's way activates."""
        total = sum(parameter.numel() for parameter in self.parameters())
        idle = 1 - self.config.experts_per_token / self.config.num_experts
        mixtures = [module for module in self.modules() if isinstance(module, MixtureOfExperts)]
        in_experts = sum(m.gate_up_proj.numel() + m.down_proj.numel() for m in mixtures)
        return total, total - round(idle * in_experts)

    def cast(self, dtype: torch.dtype) -> JanusDNA:
        """Convert to `dtype` in place.

        Where `dtype` is narrower than float32, the recurrence's A_log and D keep float32, and so does all
        that follows the fusion: it is read at few positions, and differences of its logits are scores.
        """
        exact = torch.promote_types(dtype, torch.float32)
        for name, parameter in self.named_parameters():
            keep = name.endswith((".A_log", ".D")) or name.startswith(("final_", "head."))
            parameter.data = parameter.data.to(exact if keep else dtype)
        return self

    def init_weights(self) -> None:
        """Draw fresh weights.

        | parameter                                  | drawn from            |
        |--------------------------------------------|-----------------------|
        | linear, convolution and embedding weights  | normal(0, 0.02)       |
        | query, key and value projections           | Xavier uniform        |
        | biases                                     | 0                     |
        | norm weights, D                            | 1                     |
        | A_log                                      | log(1..N) per channel |
        """
        for name, parameter in self.named_parameters():
            leaf = name.rsplit(".", 1)[-1]
            if name.endswith(("norm.weight", ".D")):
                continue
            if leaf == "A_log":
                with torch.no_grad():
                    parameter.copy_(torch.arange(1.0, self.config.state_size + 1).log())
            elif leaf == "bias":
                nn.init.zeros_(parameter)
            elif name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight")):
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.normal_(parameter, std=_INITIAL_SPREAD)


def check_length(*lengths: int) -> None:
    """Whether sequences are long enough to have two neighbours somewhere.

    Raises:
        SequenceError: If one is not.
    """
    if min(lengths) < MIN_LENGTH:
        raise SequenceError(f"a sequence has {min(lengths)} bases: expected at least {MIN_LENGTH}")


def _projections(config: ModelConfig) -> GatedProjections:
    return GatedProjections(hidden_size=config.hidden_size, inner_size=config.inner_size)


def _stream(
    config: ModelConfig, kernels: Kernels, shared: list[GatedProjections | None], *, reverse: bool
) -> Stream:
    return Stream(
        [
            StreamLayer(
                _mixer(config, kernels, projections, reverse=reverse),
                _feed_forward(config, kernels, layer),
                hidden_size=config.hidden_size,
                eps=config.rms_norm_eps,
                kernels=kernels,
            )
            for layer, projections in enumerate(shared)
        ],
        reverse=reverse,
    )


def _mixer(
    config: ModelConfig, kernels: Kernels, projections: GatedProjections | None, *, reverse: bool
) -> MambaMixer | CausalSelfAttention:
    if projections is None:
        return CausalSelfAttention(
            hidden_size=config.hidden_size, num_heads=config.num_heads, kernels=kernels, reverse=reverse
        )
    return MambaMixer(
        projections,
        inner_size=config.inner_size,
        state_size=config.state_size,
        conv_kernel=config.conv_kernel,
        dt_rank=config.dt_rank,
        eps=config.rms_norm_eps,
        kernels=kernels,
        reverse=reverse,
    )


def _feed_forward(config: ModelConfig, kernels: Kernels, layer: int) -> SwiGLU | MixtureOfExperts:
    sizes = {"hidden_size": config.hidden_size, "intermediate_size": config.intermediate_size}
    if layer not in config.expert_layers:
        return SwiGLU(**sizes, kernels=kernels)
    return MixtureOfExperts(
        **sizes, num_experts=config.num_experts, experts_per_token=config.experts_per_token, kernels=kernels
    )


def _final_mlp(hidden_size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(hidden_size, 2 * hidden_size), nn.SiLU(), nn.Linear(2 * hidden_size, hidden_size), nn.SiLU()
    )
