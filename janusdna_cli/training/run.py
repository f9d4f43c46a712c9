"""The steps of a pretraining run, with what is due between them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import janusdna
from janusdna.checkpoint import Checkpoint, build
from janusdna.config import ModelConfig
from janusdna.errors import TrainingError
from janusdna.nn.model import JanusDNA
from janusdna.ops.backends import choose_kernels
from janusdna.reader import resolve_dtype
from janusdna.training import Report, Trainer
from janusdna_cli.errors import InputError
from janusdna_cli.genome.splits import Splits
from janusdna_cli.genome.windows import Window
from janusdna_cli.runtime.progress import format_bases
from janusdna_cli.runtime.ranks import Ranks
from janusdna_cli.training.corpus import Corpus
from janusdna_cli.training.display import format_duration, training_display
from janusdna_cli.training.memory import micro_batch_bases, needs_recomputing
from janusdna_cli.training.metrics_log import MetricsLog, training_line, validation_line
from janusdna_cli.training.micro_batches import Batching, Step, steps, validation
from janusdna_cli.training.run_directory import Progress, RunDirectory, Saved
from janusdna_cli.training.settings import PretrainSettings, trained_length

__all__ = ["Genome", "PretrainSummary", "TrainingRun"]

_MOST_LANES = 4
_WINDOWS_NAMED = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PretrainSummary:
    """What a run came to.

    Attributes:
        model: The best model's directory.
        progress: Steps, bases and time, and the best validation.
    """

    model: Path
    progress: Progress


@dataclass(frozen=True)
class Genome:
    """Where windows come from.

    Attributes:
        fasta: Path of a FASTA with random access.
        lengths: Bases of each contig.
        splits: What is trained on and what is held out.
    """

    fasta: str
    lengths: dict[str, int]
    splits: Splits

    def describe(self) -> dict[str, Any]:
        """What a resumption must have in common with its run."""
        found = json.dumps([self.lengths, [(k, list(map(str, v))) for k, v in self.splits.items()]])
        return {
            "contigs": len(self.lengths),
            "bases": sum(self.lengths.values()),
            "held_out": sum(map(len, self.splits["valid"])),
            "digest": hashlib.sha256(found.encode()).hexdigest(),
        }


class TrainingRun:
    """A run between its beginning and its end.

    Args:
        settings: All that it was told.
        config: Of the network.
        genome: Where windows come from.
        folder: Where it writes.
        ranks: This process and the others.
        stopped: Whether it should end, as soon as nothing is lost by it.
    """

    def __init__(
        self,
        settings: PretrainSettings,
        config: ModelConfig,
        genome: Genome,
        folder: RunDirectory,
        ranks: Ranks,
        stopped: Callable[[], bool],
    ) -> None:
        length = trained_length(config)
        self._settings, self._config, self._folder, self._ranks = settings, config, folder, ranks
        self._stopped = stopped
        self._recipe = settings.recipe(length)
        self._dtype = resolve_dtype(settings.dtype, ranks.device)
        self._lanes = min(torch.get_num_threads(), _MOST_LANES) if ranks.device.type == "cpu" else 1
        self._corpus = Corpus(genome.fasta, genome.splits["train"], settings.corpus(length))
        self._held_out = Corpus(genome.fasta, genome.splits["valid"], settings.corpus(length))
        self._validates = bool(settings.valid_every and self._held_out.places)
        self._batching = self._share_out(length)
        self._bases = self._batching.windows * length
        self._valid_windows = settings.most_valid_windows(length)
        self._progress = Progress()
        self._saved: int | None = None

    def _share_out(self, length: int) -> Batching:
        """The windows of a step, cut so that every process and lane has some."""
        settings, ranks = self._settings, self._ranks
        windows = max(1, settings.tokens_per_step // length)
        if windows < ranks.count:
            raise InputError(
                f"--tokens-per-step {settings.tokens_per_step}: makes {windows} windows of {length:,} bases, "
                f"expected at least one for each of the {ranks.count} processes"
            )
        bases = settings.batch_bp or micro_batch_bases(self._config, ranks.device, self._dtype)
        share = -(-windows // (ranks.count * self._lanes))
        return Batching(
            objective=settings.objective,
            windows=windows,
            batch=max(1, min(bases // length, share)),
            rank=ranks.rank,
            ranks=ranks.count,
            workers=settings.workers,
            mask_share=settings.mask_share,
        )

    def begin(self, start: Checkpoint | None, saved: Saved | None) -> None:
        """Make the network: fresh, from the weights to start with, or as it was saved.

        Raises:
            InputError: If nothing that is held out can be read, or processes see different folders.
        """
        if not self._ranks.agree(0 if saved is None else saved.progress.step):
            raise InputError(
                f"{self._folder.path}: the processes find different checkpoints in it, expected one folder "
                "that all machines see; put it on a shared file system"
            )
        if self._validates:
            next(self._held_out.held_out(self._valid_windows))
        self._trainer = Trainer(
            self._network(start if saved is None else saved.model),
            self._recipe,
            self._settings.objective,
            compute_dtype=self._dtype,
            lanes=self._lanes,
            total=self._ranks.total,
        )
        if saved is not None:
            self._trainer.load_state(saved.optimizer)
            self._progress = saved.progress
            self._saved = saved.progress.step

    def _network(self, source: Checkpoint | None) -> JanusDNA:
        settings, device = self._settings, self._ranks.device
        states = self._config.state_size
        kernels = choose_kernels(device, self._dtype, states=states, preference=settings.kernels)
        # Whole windows: a validation has to tell how the experts are used as a step does.
        kernels = dataclasses.replace(kernels, chunk_values=None)
        torch.manual_seed(settings.seed)
        if source is None:
            network = JanusDNA(self._config, kernels)
        else:
            network = build(dataclasses.replace(source, config=self._config), kernels)
        at_once = self._batching.batch * self._lanes * trained_length(self._config)
        if settings.recompute == "auto":
            network.recompute(needs_recomputing(self._config, at_once, device, self._dtype))
        else:
            network.recompute(settings.recompute == "on")
        return network.float().to(device)

    def train(self) -> PretrainSummary:
        """All the steps that are left.

        Raises:
            KeyboardInterrupt: When it was told to stop; a checkpoint is written.
        """
        first, done = self._ranks.is_first, self._progress.step
        self._announce()
        with ExitStack() as opened:
            self._log = opened.enter_context(MetricsLog(self._folder.path, done)) if first else None
            quiet = self._settings.quiet or not first
            self._display = opened.enter_context(training_display(self._recipe.max_steps, done, quiet=quiet))
            try:
                self._after_step()
                self._steps()
            except KeyboardInterrupt:
                self._checkpoint()
                logger.info("stopped after step %s; --resume goes on from there", f"{self._progress.step:,}")
                raise
        logger.info("%s", self._outcome())
        return PretrainSummary(self._folder.model, self._progress)

    def _steps(self) -> None:
        began = time.monotonic()
        done, last = self._progress.step, self._recipe.max_steps
        for step in steps(self._corpus, self._batching, done + 1, last):
            report = self._make(step)
            self._note(step.number, report, time.monotonic() - began)
            self._after_step()
            began = time.monotonic()

    def _stop_together(self) -> None:
        """End the run where any process was told to: none must wait for one that is gone."""
        if self._ranks.any(self._stopped()):
            raise KeyboardInterrupt

    def _proceed(self) -> None:
        """Between micro-batches, which every process has a different number of, one alone may end."""
        if self._ranks.count == 1 and self._stopped():
            raise KeyboardInterrupt

    def _make(self, step: Step) -> Report:
        self._stop_together()
        try:
            return self._trainer.step(step.micro_batches, step.number, self._proceed)
        except TrainingError as error:
            raise self._explained(error, step) from None

    def _explained(self, error: TrainingError, step: Step) -> TrainingError:
        named = [_place(step.windows[index]) for index in error.windows[:_WINDOWS_NAMED]]
        if len(error.windows) > len(named):
            named.append(f"{len(error.windows) - len(named):,} more")
        where = ", ".join(named) or "windows of another process"
        fix = "nothing of the step was kept; go on from a checkpoint with --init and a lower --lr"
        found = f"{error}, expected finite numbers; it comes from {where}"
        return TrainingError(f"{self._folder.path}: step {step.number}: {found}; {fix}", error.windows)

    def _note(self, number: int, report: Report, seconds: float) -> None:
        """Count a step and write its line."""
        was = self._progress
        self._progress = dataclasses.replace(
            was, step=number, tokens=was.tokens + self._bases, seconds=was.seconds + seconds
        )
        line = training_line(
            number,
            report,
            lr=self._recipe.lr_at(number),
            tokens=self._progress.tokens,
            tokens_per_second=self._bases / seconds,
        )
        if self._log is not None:
            self._log.write(line)
        self._display.step(line)

    def _after_step(self) -> None:
        """What is due between steps; a run that was stopped before it was done takes it up here."""
        progress, settings = self._progress, self._settings
        is_last = progress.step == self._recipe.max_steps
        if progress.step == 0:
            return
        waits = self._validates and progress.validated != progress.step
        if waits and (is_last or progress.step % settings.valid_every == 0):
            self._validate()
        if is_last or progress.step % settings.checkpoint_every == 0:
            self._checkpoint()

    def _validate(self) -> None:
        self._stop_together()
        held_out = validation(self._held_out, self._batching, self._valid_windows)
        report = self._trainer.evaluate(held_out, self._proceed)
        step, best = self._progress.step, self._progress.best_bits_per_base
        is_best = best is None or report.bits_per_base < best
        self._progress = dataclasses.replace(self._progress, validated=step)
        if is_best:
            self._progress = dataclasses.replace(
                self._progress, best_step=step, best_bits_per_base=report.bits_per_base
            )
        if self._log is None:
            return
        line = validation_line(step, report)
        self._log.write(line)
        self._display.validation(line, best=is_best)
        if is_best:
            self._folder.save_model(self._weights())

    def _checkpoint(self) -> None:
        """Write one, where this step has none yet; without validation it is the best model as well."""
        step = self._progress.step
        if self._log is None or step in (0, self._saved):
            return
        model = self._weights()
        self._folder.save_checkpoint(self._progress, model, self._trainer.state(), keep=self._settings.keep)
        self._saved = step
        if not self._validates:
            self._folder.save_model(model)

    def _weights(self) -> Checkpoint:
        settings, progress = self._settings, self._progress
        network = self._trainer.network
        facts = {
            "trained": True,
            "objective": settings.objective,
            "fasta": Path(settings.fasta).name,
            "init": settings.init,
            "seed": settings.seed,
            "step": progress.step,
            "tokens": progress.tokens,
            "valid_bits_per_base": progress.best_bits_per_base
            if progress.best_step == progress.step
            else None,
            "version": janusdna.__version__,
        }
        tensors = {name: weight.detach().cpu() for name, weight in network.named_parameters()}
        name = self._folder.path.resolve().name.removesuffix(".janusdna-run")
        return Checkpoint(name, self._config, tensors, "", facts)

    def _announce(self) -> None:
        total, activated = self._trainer.network.parameter_counts()
        kernels, where = self._trainer.network.kernels, self._ranks.device
        logger.info(
            "%s parameters, %s activated, on %s in %s, scan by %s; %s windows of %s bases to train on, "
            "%s held out; %s steps of %s bases",
            f"{total:,}", f"{activated:,}", where, str(self._dtype).removeprefix("torch."), kernels.scan.name,
            f"{self._corpus.places:,}", f"{trained_length(self._config):,}",
            f"{self._held_out.places:,}", f"{self._recipe.max_steps:,}", f"{self._bases:,}",
        )  # fmt: skip
        if self._progress.step:
            logger.info("going on after step %s", f"{self._progress.step:,}")
        if not self._validates:
            logger.info("nothing is validated: %s will be the last model, not the best", self._folder.model)

    def _outcome(self) -> str:
        progress = self._progress
        parts = [
            f"{progress.step:,} steps",
            f"{format_bases(progress.tokens)} in {format_duration(progress.seconds)}",
        ]
        if progress.best_bits_per_base is not None:
            parts.append(
                f"best {progress.best_bits_per_base:.4f} bits per base, after step {progress.best_step:,}"
            )
        return f"{', '.join(parts)} -> {self._folder.model}"


def _place(window: Window) -> str:
    return f"{window.contig}:{window.start}-{window.end}"
