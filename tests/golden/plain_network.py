"""JanusDNA a second time: the whole network in float64 as its paper describes it, for comparison.

Nothing of the package is imported and nothing is fast: loops over time, one dense mask, a sum over experts.
Weights go by the names of the authors' implementation. A window is read alone; rows are (T, d).

Source: Duan et al., NeurIPS 2025, arXiv 2505.17257; Gu and Dao, arXiv 2312.00752.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

PAD = 4
OBJECTIVES = ("janus", "mlm", "clm")


class Answer(NamedTuple):
    """Of a window: hidden states (T, d), logits (T, 16), each stream's router logits by layer."""

    hidden: Tensor
    logits: Tensor
    routers: tuple[list[Tensor], list[Tensor]]


class PlainNetwork:
    """The network with the weights and the settings of `model_config.json`."""

    def __init__(self, weights: dict[str, Tensor], settings: dict[str, Any]) -> None:
        self.weights = {name: tensor.double().requires_grad_() for name, tensor in weights.items()}
        self.heads = settings["num_attention_heads"]
        self.visited = settings["num_experts_per_tok"]
        self.fusion_scale = 1 / math.sqrt(settings["flex_attn_n_embd"] / self.heads)
        self.eps = settings["rms_norm_eps"]
        self.aux_coefficient = settings["router_aux_loss_coef"]
        self.layers = settings["num_hidden_layers"]

    def read(self, ids: Tensor, objective: str) -> Answer:
        """What is predicted of every position of one window, (T,), as `objective` sees it."""
        embedded = self.weights["model.embed_tokens.weight"][ids]
        forward, router_forward = self._stream(embedded, "fwd")
        if objective == "clm":
            state, routers = self._before(forward), (router_forward, [])
        else:
            backward, router_backward = self._stream(embedded.flip(0), "rev")
            fuse = self._others if objective == "janus" else self._all
            state, routers = fuse(forward, backward.flip(0)), (router_forward, router_backward)
        hidden = self._norm(state, "model.final_layernorm")
        if "model.final_mlp.0.weight" in self.weights:
            inner = silu(self._linear(hidden, "model.final_mlp.0"))
            hidden = hidden + silu(self._linear(inner, "model.final_mlp.2"))
        return Answer(hidden, self._linear(hidden, "lm_head"), routers)

    def losses(
        self, inputs: Tensor, labels: Tensor, weights: Tensor, objective: str
    ) -> tuple[Tensor, Tensor]:
        """The weighted mean cross-entropy of windows (B, T), and the loss of their routers."""
        answers = [self.read(window, objective) for window in inputs]
        logits = torch.stack([answer.logits for answer in answers])
        logp = logits - logits.exp().sum(-1, keepdim=True).log()
        own = logp.gather(-1, labels[..., None])[..., 0]
        balance = torch.zeros((), dtype=torch.float64)
        for stream in (0, 1):
            seen = [logits for answer in answers for logits in answer.routers[stream]]
            if seen:
                balance = balance + self._imbalance(torch.cat(seen))
        return -(own * weights).sum() / weights.sum(), self.aux_coefficient * balance

    def _imbalance(self, logits: Tensor) -> Tensor:
        """E times the sum of f[k, e] P[e] over choices k and experts e."""
        probability = logits.exp() / logits.exp().sum(-1, keepdim=True)
        ranked = logits.argsort(dim=-1, descending=True)
        total = torch.zeros((), dtype=torch.float64)
        for choice in range(self.visited):
            for expert in range(logits.shape[1]):
                share = (ranked[:, choice] == expert).double().mean()
                total = total + share * probability[:, expert].mean()
        return logits.shape[1] * total

    # The two streams. Each is walked in its own direction: `rows` come in the order in which it reads them.

    def _stream(self, rows: Tensor, direction: str) -> tuple[Tensor, list[Tensor]]:
        routers = []
        other = {"fwd": "fwd", "rev": "bwd"}[direction]
        for number in range(self.layers):
            layer = f"model.layers.{number}.mamba_module"
            if f"{layer}.mamba_fwd.D" in self.weights:
                normed = self._norm(rows, f"{layer}.input_layernorm_{other}")
                mixed = self._mamba(normed, f"{layer}.mamba_{direction}", f"{layer}.mamba_fwd")
            else:
                layer = f"model.layers.{number}.attn"
                normed = self._norm(rows, f"{layer}.input_layernorm_{other}")
                mixed = self._causal(normed, f"{layer}.self_attn_{other}")
            rows = rows + mixed
            normed = self._norm(rows, f"{layer}.pre_ff_layernorm_{other}")
            rows = rows + self._feed_forward(normed, f"{layer}.feed_forward_{other}", routers)
        return rows, routers

    def _mamba(self, rows: Tensor, name: str, shared: str) -> Tensor:
        into, gate = self._linear(rows, f"{shared}.in_proj").chunk(2, dim=-1)
        x = silu(self._convolution(into, name))
        a_log, skip = self.weights[f"{name}.A_log"], self.weights[f"{name}.D"]
        states = a_log.shape[1]
        projected = self._linear(x, f"{name}.x_proj")
        parts = projected[:, : -2 * states], projected[:, -2 * states : -states], projected[:, -states:]
        dt, b, c = (
            self._norm(part, f"{name}.{which}_layernorm")
            for part, which in zip(parts, ("dt", "b", "c"), strict=True)
        )
        delta = (1 + self._linear(dt, f"{name}.dt_proj").exp()).log()
        state, answers = torch.zeros_like(a_log), []
        for t in range(len(rows)):
            decay = (-delta[t, :, None] * a_log.exp()).exp()
            state = decay * state + torch.outer(delta[t] * x[t], b[t])
            answers.append(state @ c[t] + skip * x[t])
        return self._linear(torch.stack(answers) * silu(gate), f"{shared}.out_proj")

    def _convolution(self, rows: Tensor, name: str) -> Tensor:
        """Each channel by itself, over a row and the three before it."""
        taps, bias = self.weights[f"{name}.conv1d.weight"][:, 0], self.weights[f"{name}.conv1d.bias"]
        answers = []
        for t in range(len(rows)):
            met = [taps[:, -1 - back] * rows[t - back] for back in range(taps.shape[1]) if t - back >= 0]
            answers.append(bias + sum(met))
        return torch.stack(answers)

    def _feed_forward(self, rows: Tensor, name: str, routers: list[Tensor]) -> Tensor:
        if f"{name}.router.weight" not in self.weights:
            return self._swiglu(rows, name)
        logits = self._linear(rows, f"{name}.router")
        routers.append(logits)
        probability = logits.exp() / logits.exp().sum(-1, keepdim=True)
        chosen = torch.zeros_like(logits).scatter(1, logits.argsort(descending=True)[:, : self.visited], 1.0)
        return sum(
            (chosen * probability)[:, expert, None] * self._swiglu(rows, f"{name}.experts.{expert}")
            for expert in range(logits.shape[1])
        )

    def _swiglu(self, rows: Tensor, name: str) -> Tensor:
        opened = silu(self._linear(rows, f"{name}.gate_proj")) * self._linear(rows, f"{name}.up_proj")
        return self._linear(opened, f"{name}.down_proj")

    def _causal(self, rows: Tensor, name: str) -> Tensor:
        seen = torch.ones(len(rows), len(rows)).tril().bool()
        scale = 1 / math.sqrt(rows.shape[1] / self.heads)
        return self._linear(self._attention(rows, name, seen, scale), f"{name}.o_proj")

    # The fusion.

    def _others(self, forward: Tensor, backward: Tensor) -> Tensor:
        """Position t from F_{t-1} and R_{t+1}, which know nothing of it."""
        length = len(forward)
        fused = self._fuse(torch.cat((forward, backward)), janus_mask(length))
        nothing = torch.zeros_like(forward[0])
        return torch.stack(
            [
                (fused[t - 1] if t > 0 else nothing) + (fused[length + t + 1] if t + 1 < length else nothing)
                for t in range(length)
            ]
        )

    def _all(self, forward: Tensor, backward: Tensor) -> Tensor:
        """Position t from F_t and R_t, every row of which sees all rows."""
        rows = torch.cat((forward, backward))
        fused = self._fuse(rows, torch.ones(len(rows), len(rows)).bool())
        return fused[: len(forward)] + fused[len(forward) :]

    def _before(self, forward: Tensor) -> Tensor:
        """Position t from F_{t-1}, where no row sees a later one."""
        fused = self._fuse(forward, torch.ones(len(forward), len(forward)).tril().bool())
        return torch.cat((torch.zeros_like(fused[:1]), fused[:-1]))

    def _fuse(self, rows: Tensor, seen: Tensor) -> Tensor:
        name = "model.final_attention"
        normed = self._norm(rows, f"{name}.input_layernorm")
        mixed = self._attention(normed, f"{name}.self_attn", seen, self.fusion_scale)
        rows = rows + self._linear(mixed, f"{name}.self_attn.o_projs.0")
        return rows + self._swiglu(self._norm(rows, f"{name}.pre_ff_layernorm"), f"{name}.feed_forward")

    def _attention(self, rows: Tensor, name: str, seen: Tensor, scale: float) -> Tensor:
        q, k, v = (self._linear(rows, f"{name}.{part}_proj").chunk(self.heads, dim=-1) for part in "qkv")
        answers = []
        for head in range(self.heads):
            weight = (q[head] @ k[head].T * scale).exp() * seen
            answers.append(weight @ v[head] / weight.sum(-1, keepdim=True))
        return torch.cat(answers, dim=-1)

    def _linear(self, rows: Tensor, name: str) -> Tensor:
        product = rows @ self.weights[f"{name}.weight"].T
        bias = self.weights.get(f"{name}.bias")
        return product if bias is None else product + bias

    def _norm(self, rows: Tensor, name: str) -> Tensor:
        return (
            rows / (rows.square().mean(-1, keepdim=True) + self.eps).sqrt() * self.weights[f"{name}.weight"]
        )


def silu(x: Tensor) -> Tensor:
    """x / (1 + exp(-x))."""
    return x / (1 + (-x).exp())


def janus_mask(length: int) -> Tensor:
    """Who may look at whom, (2T, 2T): F_i at F_k where k <= i and at R_k where k >= i + 2, and its mirror."""
    rules: Sequence[tuple[Callable[[int, int], bool], Callable[[int, int], bool]]] = (
        (lambda i, k: k <= i, lambda i, k: k >= i + 2),
        (lambda j, k: k <= j - 2, lambda j, k: k >= j),
    )
    return torch.tensor(
        [
            [of_forward(row, key) for key in range(length)] + [of_backward(row, key) for key in range(length)]
            for of_forward, of_backward in rules
            for row in range(length)
        ]
    )
