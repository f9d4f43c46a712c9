"""What a fine-tuning can be told, and what follows from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf
from typing import ClassVar, Literal, get_args

from janusdna.labels import HEADS, Head
from janusdna.recipe import Recipe
from janusdna_cli.checks import Rule, check, number, one_of, whole
from janusdna_cli.errors import InputError
from janusdna_cli.finetuning.label_settings import LabelSettings
from janusdna_cli.training.settings import Recompute

__all__ = ["Baselines", "FinetuneSettings"]

# What stands beside a fine-tuned model: nothing; linear models of words and of frozen embeddings; these, and
# the same training begun with untrained weights.
Baselines = Literal["none", "linear", "all"]

_PART = re.compile(r"all|head|last:[1-9]\d*")
_RULES = (
    number("warmup", holds=lambda share: 0 <= share <= 1, expected="a share, 0 to 1"),
    number("lr", "clip", holds=lambda size: 0 < size < inf, expected="more than 0"),
    number("weight_decay", "aux", holds=lambda size: 0 <= size < inf, expected="0 or more"),
    whole("epochs", "batch", "checkpoint_every", "keep", "patience", low=1),
    Rule(
        ("train",),
        lambda value: isinstance(value, str) and _PART.fullmatch(value) is not None,
        "all, head or last:N",
    ),
    one_of("head", choices=HEADS),
    one_of("baselines", choices=get_args(Baselines)),
    one_of("recompute", choices=get_args(Recompute)),
)


@dataclass(frozen=True, kw_only=True)
class FinetuneSettings(LabelSettings):
    """A fine-tuning run; the defaults are the paper's recipe where it has one.

    Attributes:
        train: Part of the network that is trained: "all", "head" or "last:N".
        head: As in `janusdna.labels.LabelTask`.
        epochs: Times that each sequence is learned from.
        lr, weight_decay, clip, warmup: As in `Recipe`.
        batch: Sequences of a step.
        metric: By which the best epoch is chosen, such as "mcc"; None for the usual one of the labels' kind.
        last_epoch: Whether the last epoch's model is taken instead of the best.
        patience: Epochs without a better validation after which a training ends.
        class_weights: Whether rare classes count as much as frequent ones.
        from_scratch: Whether to begin with fresh weights of the model's sizes.
        aux: Weight of the load-balancing loss; None for that of the model's configuration.
        baselines: What stands beside it in the report: "none", "linear" or "all".
        checkpoint_every, keep, recompute, resume: As in `PretrainSettings`.

    Raises:
        InputError: If a number makes no sense, or two options say the same.

    Source: Duan et al., arXiv 2505.17257, appendix.
    """

    free: ClassVar[frozenset[str]] = LabelSettings.free | {
        "resume",
        "recompute",
        "keep",
        "checkpoint_every",
        "baselines",
    }

    train: str = "all"
    head: Head = "linear"
    epochs: int = 10
    lr: float = 1e-3
    batch: int = 128
    weight_decay: float = 0.1
    clip: float = 1.0
    warmup: float = 0.01
    metric: str | None = None
    last_epoch: bool = False
    patience: int | None = None
    class_weights: bool = False
    from_scratch: bool = False
    aux: float | None = None
    baselines: Baselines = "linear"
    checkpoint_every: int = 500
    keep: int = 1
    recompute: Recompute = "auto"
    resume: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, *_RULES)
        if self.resume and self.overwrite:
            raise InputError("--resume and --overwrite: pass one, to go on or to start anew")

    def recipe(self, steps: int) -> Recipe:
        """How the weights move in so many steps."""
        return Recipe(
            max_steps=steps,
            lr=self.lr,
            min_lr=self.lr / 10,
            warmup=self.warmup,
            weight_decay=self.weight_decay,
            clip=self.clip,
        )
