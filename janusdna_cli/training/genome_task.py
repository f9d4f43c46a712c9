"""A genome to learn from, as a task of the training loop."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import janusdna
from janusdna.checkpoint import Checkpoint, save
from janusdna.config import ModelConfig
from janusdna.nn.model import JanusDNA
from janusdna.objectives import Example
from janusdna.pretraining import PretrainingLoss, PretrainingReport
from janusdna.reader import resolve_dtype
from janusdna.training import Trainer
from janusdna_cli.errors import InputError
from janusdna_cli.genome.genomes import GenomeFile
from janusdna_cli.genome.marks import Marks
from janusdna_cli.genome.splits import Splits
from janusdna_cli.genome.windows import Window
from janusdna_cli.runtime.ranks import Ranks
from janusdna_cli.training.corpus import Corpus
from janusdna_cli.training.memory import lanes, micro_batch_bases, needs_recomputing
from janusdna_cli.training.metrics import BITS_BY_KIND, EXPERT_USAGE, Line
from janusdna_cli.training.micro_batches import Batching, steps, validation
from janusdna_cli.training.network import network_to_train
from janusdna_cli.training.run_directory import Progress
from janusdna_cli.training.settings import PretrainSettings, trained_length
from janusdna_cli.training.task import Found, Step, Validation

__all__ = ["Genome", "GenomeTask"]


@dataclass(frozen=True)
class Genome:
    """Where windows come from.

    Attributes:
        files: FASTA files with random access.
        lengths: Bases of each contig.
        splits: What is trained on and what is held out.
        marks: Kinds and weights of the bases.
    """

    files: tuple[GenomeFile, ...]
    lengths: dict[str, int]
    splits: Splits
    marks: Marks | None = None

    def describe(self) -> dict[str, Any]:
        """What a resumption must have in common with its run."""
        # Weights of 1 and no marks leave the digest as it was before there were any.
        windows = {name: [Window(*astuple(one)[:3]) for one in own] for name, own in self.splits.items()}
        found: list[Any] = [self.lengths, [(name, list(map(str, own))) for name, own in windows.items()]]
        weights = [one.weight for own in self.splits.values() for one in own]
        found += [weights] if set(weights) - {1.0} else []
        found += [] if self.marks is None else [self.marks.digest()]
        return {
            "contigs": len(self.lengths),
            "bases": sum(self.lengths.values()),
            "held_out": sum(map(len, self.splits["valid"])),
            "digest": hashlib.sha256(json.dumps(found).encode()).hexdigest(),
        }


class GenomeTask:
    """A network that learns to predict the bases of a genome.

    Args:
        settings: All that the run was told.
        config: Of the network.
        genome: Where windows come from.
        ranks: This process and the others.
        source: Weights to begin with; None for fresh ones.
        name: What the model is called.

    Attributes:
        validates: Whether there is anything to validate on, and a time to do it.

    Raises:
        InputError: If a step has too few windows for its processes, or nothing held out can be read.
    """

    def __init__(
        self,
        settings: PretrainSettings,
        config: ModelConfig,
        genome: Genome,
        ranks: Ranks,
        source: Checkpoint | None,
        name: str,
    ) -> None:
        length = trained_length(config)
        self._settings, self._config, self._name = settings, config, name
        self._device, self._length = ranks.device, length
        self._dtype = resolve_dtype(settings.dtype, ranks.device)
        self._batching = self._share_out(ranks)
        self._corpus, self._held_out = (
            Corpus(genome.files, genome.splits[split], settings.corpus(length), genome.marks)
            for split in ("train", "valid")
        )
        self._kinds = () if genome.marks is None else genome.marks.kinds
        self._valid_windows = settings.most_valid_windows(length)
        self.validates = bool(settings.valid_every and self._held_out.places)
        if self.validates:
            next(self._held_out.held_out(self._valid_windows))
        self._network = self._ready(source)
        self.loss = PretrainingLoss(
            self._network, settings.objective, compute_dtype=self._dtype, kinds=len(self._kinds)
        )

    def _share_out(self, ranks: Ranks) -> Batching:
        """The windows of a step, cut so that every process and lane has some."""
        settings, length = self._settings, self._length
        windows = max(1, settings.tokens_per_step // length)
        if windows < ranks.count:
            raise InputError(
                f"--tokens-per-step {settings.tokens_per_step}: makes {windows} windows of {length:,} bases, "
                f"expected at least one for each of the {ranks.count} processes"
            )
        bases = settings.batch_bp or micro_batch_bases(self._config, ranks.device, self._dtype)
        share = -(-windows // (ranks.count * lanes(ranks.device)))
        return Batching(
            objective=settings.objective,
            windows=windows,
            batch=max(1, min(bases // length, share)),
            rank=ranks.rank,
            ranks=ranks.count,
            workers=settings.workers,
            mask_share=settings.mask_share,
        )

    def _ready(self, source: Checkpoint | None) -> JanusDNA:
        settings, device, dtype = self._settings, self._device, self._dtype
        network = network_to_train(
            self._config, source, device=device, dtype=dtype, kernels=settings.kernels, seed=settings.seed
        )
        if settings.recompute != "auto":
            return network.recompute(settings.recompute == "on")
        at_once = self._batching.batch * lanes(device) * self._length
        return network.recompute(needs_recomputing(self._config, at_once, device, dtype))

    def steps(self, first: int, last: int) -> Iterator[Step[Example]]:
        """Windows of the genome, in an order that the seed decides."""
        return steps(self._corpus, self._batching, first, last)

    def found(self, report: PretrainingReport) -> Found:
        """What is written of a step."""
        shares = [share for stream in report.usage for layer in stream for share in layer if any(layer)]
        fields = {
            "loss": report.loss,
            "bits_per_base": report.bits_per_base,
            "accuracy": report.accuracy,
            "aux_loss": report.aux_loss,
            "expert_share_min": min(shares, default=None),
            "expert_share_max": max(shares, default=None),
        }
        text = (
            f"loss {report.loss:.4f}, {report.bits_per_base:.4f} bits per base, "
            f"accuracy {report.accuracy:.3f}"
        )
        return Found(fields, text)

    def validate(
        self, trainer: Trainer[Example, PretrainingReport], proceed: Callable[[], None]
    ) -> Validation:
        """What the network makes of the windows that are held out; the score is bits per base."""
        held_out = validation(self._held_out, self._batching, self._valid_windows)
        report = trainer.evaluate(held_out, proceed)
        fields = {
            "valid_loss": report.loss,
            "valid_bits_per_base": report.bits_per_base,
            "valid_accuracy": report.accuracy,
            "valid_windows": report.windows,
            EXPERT_USAGE: _usage(report),
        }
        by_kind = {
            kind: round(bits, 4)
            for kind, (bits, counted) in zip(self._kinds, report.by_kind, strict=True)
            if counted
        }
        fields |= {BITS_BY_KIND: by_kind} if by_kind else {}
        text = f"{self.score_text(report.bits_per_base)}, accuracy {report.accuracy:.4f}"
        text += "".join(f", {kind} {bits:.3f}" for kind, bits in by_kind.items())
        return Validation(fields, text, report.bits_per_base)

    def score_text(self, score: float) -> str:
        """Bits per base."""
        return f"{score:.4f} bits per base"

    def write_model(self, folder: Path, progress: Progress) -> None:
        """Write the network as it is."""
        settings = self._settings
        facts = {
            "trained": True,
            "objective": settings.objective,
            "fasta": settings.file_names,
            "init": settings.init,
            "seed": settings.seed,
            "step": progress.step,
            "tokens": progress.tokens,
            "valid_bits_per_base": progress.best_score if progress.best_step == progress.step else None,
            "version": janusdna.__version__,
        }
        tensors = {name: weight.detach().cpu() for name, weight in self._network.named_parameters()}
        save(Checkpoint(self._name, self._config, tensors, "", facts), folder)

    def describe(self, max_steps: int) -> str:
        """What will be trained on what, in one line."""
        total, activated = self._network.parameter_counts()
        dtype, scan = str(self._dtype).removeprefix("torch."), self._network.kernels.scan.name
        return (
            f"{total:,} parameters, {activated:,} activated, on {self._device} in {dtype}, scan by {scan}; "
            f"{self._corpus.places:,} windows of {self._length:,} bases to train on{self._a_pass()}, "
            f"{self._held_out.places:,} held out; "
            f"{max_steps:,} steps of {self._batching.windows * self._length:,} bases"
        )

    def _a_pass(self) -> str:
        turns = self._corpus.turns
        return "" if turns == self._corpus.places else f" ({turns:,} a pass, by their weights)"


def _usage(report: PretrainingReport) -> Line:
    """The experts' shares in the streams that have experts."""
    streams = zip(("forward", "backward"), report.usage, strict=True)
    return {
        name: [[round(share, 4) for share in layer] for layer in layers]
        for name, layers in streams
        if any(map(any, layers))
    }
