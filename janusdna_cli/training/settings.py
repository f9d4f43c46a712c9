"""What a pretraining run can be told, and what follows from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Literal, get_args

from janusdna import MIN_LENGTH, PRESETS, ModelConfig, preset
from janusdna.errors import ConfigError
from janusdna.json_object import read_json
from janusdna.recipe import MASK_SHARE, OBJECTIVES, OPTIMIZERS, Objective, Optimizer, Recipe
from janusdna_cli.checks import check, many_paths, number, one_of, paths, whole
from janusdna_cli.errors import InputError
from janusdna_cli.genome.genomes import GenomeFile, genome_file
from janusdna_cli.genome.splits import Splits, hold_out_blocks, hold_out_contigs, read_splits
from janusdna_cli.outputs.names import stem
from janusdna_cli.reading.settings import DEVICE, FALLBACK_WINDOW, Dtype, Kernels

__all__ = ["DrawSettings", "PretrainSettings", "Recompute", "trained_length"]

Recompute = Literal["auto", "on", "off"]

_LONG_WINDOW, _STEPS, _STEPS_OF_LONG_WINDOWS = 131_072, 10_000, 50_000
_VALID_TOKENS, _FEWEST_VALID_WINDOWS = 1 << 19, 8
_RULES = (
    number(
        "valid_share", "beta1", "beta2", "momentum",
        holds=lambda share: 0 <= share < 1, expected="0 or more, and less than 1",
    ),
    number(
        "warmup", "max_n", "mask_share", holds=lambda share: 0 <= share <= 1, expected="a share, 0 to 1"
    ),
    number("lr", "clip", "eps", holds=lambda size: 0 < size < inf, expected="more than 0"),
    number(
        "warmup_lr", "min_lr", "weight_decay", "aux", "soft_mask_weight",
        holds=lambda size: 0 <= size < inf, expected="0 or more",
    ),
    whole("seed", "valid_every", low=0),
    whole("tokens_per_step", "max_steps", "valid_windows", "checkpoint_every", "keep", low=1),
    whole("batch_bp", "threads", "workers", low=1),
    whole("length", low=MIN_LENGTH),
    one_of("objective", choices=OBJECTIVES),
    one_of("optimizer", choices=OPTIMIZERS),
    one_of("recompute", choices=get_args(Recompute)),
    one_of("dtype", choices=get_args(Dtype)),
    one_of("kernels", choices=get_args(Kernels)),
    DEVICE,
)  # fmt: skip
# What may differ between a run and its resumption: it moves work and memory about, not what is learned.
_FREE = frozenset(
    [
        "fasta",
        "output",
        "intervals",
        "weights",
        "resume",
        "overwrite",
        "quiet",
        "device",
        "batch_bp",
        "recompute",
        "threads",
        "workers",
        "keep",
        "checkpoint_every",
    ]
)


@dataclass(frozen=True, kw_only=True)
class DrawSettings:
    """How windows are drawn.

    Attributes:
        length: Bases of a window.
        seed: Of the order, the strands and whatever else is left to chance.
        max_n: Windows with a larger share of bases that are not A, C, G, T are left out.
        reverse_complement: Whether half of the windows are read from the other strand.
        shift: Whether a window begins anywhere within its place in the grid, anew each time.
        soft_mask_weight: What a lower-case base counts in the loss; 1 for as much as others.
    """

    length: int
    seed: int = 0
    max_n: float = 0.5
    reverse_complement: bool = True
    shift: bool = False
    soft_mask_weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class PretrainSettings:
    """A pretraining run; the defaults are the paper's recipe.

    Attributes:
        fasta: The genome, or several: plain, bgzip, or plain gzip, which is converted once; `NAME=FASTA`
            names a genome, whose contigs are then called `NAME.contig`.
        output: The run's folder; None for `<fasta stem>.janusdna-run`.
        intervals: BED of where windows may lie, its fourth column train, valid or test, its fifth how often
            bases to train on are wanted.
        weights: BED of kinds of bases in its fourth column, which validations tell apart, and of what they
            count in the loss in its fifth.
        valid_contigs: Contigs held out where there are no intervals.
        valid_share: Share of the genome held out, in blocks, where there are neither.
        preset: Sizes of the network: a preset's name or a JSON file of its fields.
        init: Weights to start from, as `--model` takes; the sizes are theirs.
        objective: "janus", "mlm" or "clm".
        length: Bases of a window; None for the preset's.
        tokens_per_step: Bases of a step, in all processes.
        max_steps: None for 10,000, or 50,000 with windows of 131,072 bases and more.
        mask_share: Of the bases, those that mlm masks and predicts.
        optimizer, lr, warmup, warmup_lr, min_lr, beta1, beta2, eps, momentum, weight_decay, clip: As in
            `Recipe`.
        aux: Weight of the load-balancing loss.
        seed: Of all chance.
        max_n, rc, shift, soft_mask_weight: As in `DrawSettings`.
        valid_every: Steps between validations; 0 for none.
        valid_windows: At most so many; None for as many as make 524,288 bases.
        checkpoint_every: Steps between checkpoints.
        keep: Checkpoints kept.
        recompute: Gradient checkpointing: layers are computed again on the way back, for long windows;
            "auto" where the memory would not do.
        device, dtype, kernels, batch_bp, threads: As in `ModelSettings`.
        workers: Threads that read windows.
        resume: Go on where a run in the folder stands.
        overwrite: Start anew in a folder that holds a run.
        quiet: Say nothing but warnings and errors.

    Raises:
        InputError: If a number makes no sense.

    Source: Duan et al., arXiv 2505.17257, appendix.
    """

    fasta: str | tuple[str, ...]
    output: str | None = None
    intervals: str | None = None
    weights: str | None = None
    valid_contigs: tuple[str, ...] = ()
    valid_share: float = 0.05
    preset: str = "janusdna-32"
    init: str | None = None
    objective: Objective = "janus"
    mask_share: float = MASK_SHARE
    length: int | None = None
    tokens_per_step: int = 1 << 20
    max_steps: int | None = None
    optimizer: Optimizer = Recipe.optimizer
    lr: float = Recipe.lr
    warmup: float = Recipe.warmup
    warmup_lr: float = Recipe.warmup_lr
    min_lr: float = Recipe.min_lr
    beta1: float = Recipe.beta1
    beta2: float = Recipe.beta2
    eps: float = Recipe.eps
    momentum: float = Recipe.momentum
    weight_decay: float = Recipe.weight_decay
    clip: float = Recipe.clip
    aux: float = ModelConfig.router_aux_loss_coef
    seed: int = DrawSettings.seed
    max_n: float = DrawSettings.max_n
    rc: bool = DrawSettings.reverse_complement
    shift: bool = DrawSettings.shift
    soft_mask_weight: float = DrawSettings.soft_mask_weight
    valid_every: int = 500
    valid_windows: int | None = None
    checkpoint_every: int = 500
    keep: int = 3
    recompute: Recompute = "auto"
    device: str = "auto"
    dtype: Dtype = "auto"
    kernels: Kernels = "auto"
    batch_bp: int | None = None
    threads: int | None = None
    workers: int = 2
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        paths(self, "output", "intervals", "weights", "init")
        many_paths(self, "fasta")
        check(self, *_RULES)
        if self.intervals is not None and self.valid_contigs:
            raise InputError("--intervals and --valid-contigs: both say what is held out; pass one")
        if self.resume and self.overwrite:
            raise InputError("--resume and --overwrite: pass one, to go on or to start anew")

    @property
    def files(self) -> tuple[GenomeFile, ...]:
        """The FASTA files and the genomes that they belong to."""
        return tuple(map(genome_file, self.fasta))

    @property
    def named(self) -> str:
        """The FASTA files, as messages name them."""
        return ", ".join(file.path for file in self.files)

    @property
    def file_names(self) -> str:
        """The FASTA files, as a model says what it was trained on."""
        return ", ".join(Path(file.path).name for file in self.files)

    @property
    def folder(self) -> Path:
        """The run's."""
        return Path(self.output or f"{stem(self.files[0].path)}.janusdna-run")

    def network(self, start: ModelConfig | None = None) -> ModelConfig:
        """The sizes of the network, and the window it will have been trained on.

        Args:
            start: The sizes of the model to start from.

        Raises:
            InputError: If `preset` is a file that is not there, or its fields are not those of a network.
            ConfigError: If there is no preset of that name.
        """
        config = _sizes(self.preset) if start is None else start
        length = self.length or trained_length(config)
        return dataclasses.replace(config, trained_length=length, router_aux_loss_coef=self.aux)

    def recipe(self, length: int) -> Recipe:
        """How the weights move, with windows of `length`."""
        usual = _STEPS_OF_LONG_WINDOWS if length >= _LONG_WINDOW else _STEPS
        names = {field.name for field in dataclasses.fields(Recipe)} - {"max_steps"}
        chosen = {name: getattr(self, name) for name in names}
        return Recipe(max_steps=self.max_steps or usual, **chosen)

    def corpus(self, length: int) -> DrawSettings:
        """How windows of `length` are drawn."""
        return DrawSettings(
            length=length,
            seed=self.seed,
            max_n=self.max_n,
            reverse_complement=self.rc,
            shift=self.shift,
            soft_mask_weight=self.soft_mask_weight,
        )

    def splits(self, lengths: Mapping[str, int], length: int) -> Splits:
        """What is trained on and what is held out, of contigs of these lengths in windows of `length`.

        Raises:
            InputError: If the intervals do not fit, or no window does.
        """
        longest = max(lengths.values())
        if longest < length:
            found = f"its longest contig has {longest:,} bases"
            raise InputError(
                f"{self.named}: {found}, expected at least a window of {length:,}; lower --length"
            )
        if self.intervals is not None:
            splits = read_splits(self.intervals, lengths, self.named)
        elif self.valid_contigs:
            splits = hold_out_contigs(lengths, self.valid_contigs, self.named)
        else:
            splits = hold_out_blocks(lengths, length, self.valid_share)
        if not any(len(interval) >= length for interval in splits["train"]):
            where = self.intervals or self.named
            raise InputError(f"{where}: no interval to train on is as long as a window of {length:,} bases")
        return splits

    def most_valid_windows(self, length: int) -> int:
        """Held-out windows of a validation."""
        return self.valid_windows or max(_FEWEST_VALID_WINDOWS, _VALID_TOKENS // length)

    def binding(self) -> dict[str, Any]:
        """What a resumption must have in common with its run."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in _FREE}


def trained_length(config: ModelConfig) -> int:
    """Bases of the windows that a network in training reads."""
    return config.trained_length or FALLBACK_WINDOW


def _sizes(name: str) -> ModelConfig:
    path = Path(name)
    if name in PRESETS or not path.suffix:
        return preset(name)
    if not path.exists():
        raise InputError(f"--preset {name}: no such file; expected {', '.join(PRESETS)} or a JSON file")
    fields = read_json(path)
    try:
        return ModelConfig.from_dict(fields.get("model", fields))
    except (ConfigError, TypeError) as error:
        raise InputError(f"--preset {name}: {error}") from None
