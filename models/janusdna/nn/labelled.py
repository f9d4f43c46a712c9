"""A network that tells labels of whole sequences: the backbone's hidden states, pooled, and a head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from janusdna.labels import Head, LabelTask, Pool
from janusdna.nn.model import JanusDNA
from janusdna.nn.prediction import Prediction
from janusdna.nn.readout import Readout

__all__ = ["LabelHead", "LabelledNetwork", "Pooling"]

_SPREAD = 0.1


class Pooling(nn.Module):
    """Hidden states of a sequence to one vector.

    Args:
        kind: "mean" or "max" over all positions, "center" for the one in the middle, or "attention", a mean
            whose weights are learned.
        width: d.
    """

    def __init__(self, kind: Pool, width: int) -> None:
        super().__init__()
        self.kind = kind
        self.query = nn.Parameter(torch.zeros(width)) if kind == "attention" else None

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, d) of (B, T, d)."""
        if self.query is not None:
            weights = (hidden @ self.query / hidden.shape[2] ** 0.5).softmax(dim=1)
            pooled: Tensor = (weights[:, None] @ hidden)[:, 0]
            return pooled
        if self.kind == "max":
            return hidden.amax(dim=1)
        return hidden[:, hidden.shape[1] // 2] if self.kind == "center" else hidden.mean(dim=1)


class LabelHead(nn.Module):
    """One vector a sequence to its outputs.

    Args:
        kind: "linear", or "mlp" for a hidden layer before it.
        width: Of the vector.
        outputs: Numbers.

    Source: Duan et al., arXiv 2505.17257: linear, weights from normal(0, 0.1), no bias to begin with.
    """

    def __init__(self, kind: Head, width: int, outputs: int) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(width, width), nn.SiLU()) if kind == "mlp" else nn.Identity()
        self.out = Readout(width, outputs)
        nn.init.normal_(self.out.weight, std=_SPREAD)
        nn.init.zeros_(self.out.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, outputs) of (B, width)."""
        outputs: Tensor = self.out(self.hidden(pooled))
        return outputs


class LabelledNetwork(nn.Module):
    """A backbone with a head of labels.

    Args:
        backbone: Whose hidden states are read.
        task: What is told.

    Attributes:
        width: Of what the head reads.
    """

    def __init__(self, backbone: JanusDNA, task: LabelTask) -> None:
        super().__init__()
        width = backbone.config.hidden_size
        self.width = 2 * width if task.pairs else width
        self.backbone = backbone
        self.pooling = Pooling(task.pool, width)
        self.head = LabelHead(task.head, self.width, task.outputs)

    def forward(self, ids: Tensor, alternative: Tensor | None = None) -> Prediction:
        """What is told of sequences: `hidden` is what the head reads, (B, width), `logits` its (B, outputs).

        Args:
            ids: Token ids, (B, T).
            alternative: Of the alternative sequences, (B, T'), where the task is one of pairs: the head reads
                the pooled reference, and by how much the alternative one differs.
        """
        prediction = self.backbone(ids)
        pooled, (forward, backward) = self.pooling(prediction.hidden), prediction.routings
        if alternative is not None:
            other = self.backbone(alternative)
            pooled = torch.cat((pooled, self.pooling(other.hidden) - pooled), dim=-1)
            forward, backward = forward + other.routings[0], backward + other.routings[1]
        return Prediction(pooled, self.head(pooled), (forward, backward))
