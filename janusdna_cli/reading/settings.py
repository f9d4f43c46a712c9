"""How to read, whatever is read: the settings that every task with a model has. No PyTorch here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from janusdna_cli.checks import Rule, check, one_of, paths, whole

__all__ = [
    "DEVICE",
    "FALLBACK_WINDOW",
    "LONGEST_WINDOW",
    "SHORTEST_WINDOW",
    "Dtype",
    "Kernels",
    "ModelSettings",
]

SHORTEST_WINDOW, LONGEST_WINDOW = 3, 1 << 20
# Where neither the user nor the model names one.
FALLBACK_WINDOW = 1024
Dtype = Literal["auto", "float32", "bfloat16"]
Kernels = Literal["auto", "triton", "mamba-ssm", "reference"]

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")
DEVICE = Rule(
    ("device",),
    lambda name: isinstance(name, str) and bool(_DEVICE.fullmatch(name)),
    "auto, cpu, cuda or cuda:0",
)
_RULES = (
    whole("window", low=SHORTEST_WINDOW, high=LONGEST_WINDOW, unit="bases"),
    whole("batch_bp", low=1, unit="bases"),
    whole("threads", low=1),
    DEVICE,
    one_of("dtype", "kv_dtype", choices=get_args(Dtype)),
    one_of("kernels", choices=get_args(Kernels)),
)


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """How to read, whatever is read.

    Attributes:
        model: A directory, a bundled or pulled model's name, or a reference checkpoint; None for the bundled.
        window: Bases of context; None for the length the model was trained on.
        both_strands: Average over both strands.
        device: "auto", "cpu", "cuda" or "cuda:i".
        dtype: "auto", "float32" or "bfloat16".
        kv_dtype: What a window's keys and values are kept in: "auto" for `dtype`, "float32" or "bfloat16".
        kernels: "auto", "triton", "mamba-ssm" or "reference".
        batch_bp: Bases in one batch; None fits it to the memory.
        threads: CPU threads; None for all.
        quiet: Show no progress.

    Raises:
        InputError: If a value means nothing.
    """

    model: str | None = None
    window: int | None = None
    both_strands: bool = True
    device: str = "auto"
    dtype: Dtype = "auto"
    kv_dtype: Dtype = "auto"
    kernels: Kernels = "auto"
    batch_bp: int | None = None
    threads: int | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        paths(self, "model")
        check(self, *_RULES)
