"""The steps of a training, and what is due between them; what is trained on what is a `Task`'s business."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Generic

from janusdna.errors import TrainingError
from janusdna.recipe import Recipe
from janusdna.training import BatchT, ReportT, Trainer
from janusdna_cli.errors import InputError
from janusdna_cli.runtime.progress import format_bases
from janusdna_cli.runtime.ranks import Ranks
from janusdna_cli.training.display import format_duration, training_display
from janusdna_cli.training.memory import lanes
from janusdna_cli.training.metrics_log import MetricsLog, training_line, validation_line
from janusdna_cli.training.run_directory import Progress, RunDirectory, Saved
from janusdna_cli.training.task import Step, Task

__all__ = ["LoopSettings", "TrainingLoop"]

_PLACES_NAMED = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """What is due between steps.

    Attributes:
        valid_every: Steps between validations; 0 for none.
        checkpoint_every: Steps between checkpoints.
        keep: Checkpoints kept.
        keeps_best: Whether the model is that of the best validation; else that of the last checkpoint.
        patience: Steps without a better validation after which a training ends; None to go on to its last.
        quiet: Say nothing but warnings and errors.
    """

    valid_every: int = 500
    checkpoint_every: int = 500
    keep: int = 3
    keeps_best: bool = True
    patience: int | None = None
    quiet: bool = False


class TrainingLoop(Generic[BatchT, ReportT]):
    """A training between its beginning and its end.

    Args:
        task: What is trained, as it begins or as it was saved.
        recipe: How.
        settings: What is due between steps.
        folder: Where it writes.
        ranks: This process and the others.
        stopped: Whether it should end, as soon as nothing is lost by it.
        saved: Where it stands; None at its beginning.

    Raises:
        InputError: If processes see different folders.
    """

    def __init__(
        self,
        task: Task[BatchT, ReportT],
        recipe: Recipe,
        settings: LoopSettings,
        folder: RunDirectory,
        ranks: Ranks,
        stopped: Callable[[], bool],
        saved: Saved[Any] | None = None,
    ) -> None:
        if not ranks.agree(0 if saved is None else saved.progress.step):
            raise InputError(
                f"{folder.path}: the processes find different checkpoints in it, expected one folder "
                "that all machines see; put it on a shared file system"
            )
        self._task, self._recipe, self._settings = task, recipe, settings
        self._folder, self._ranks, self._stopped = folder, ranks, stopped
        self._trainer = Trainer(task.loss, recipe, lanes=lanes(ranks.device), total=ranks.total)
        self._progress = Progress()
        self._saved: int | None = None
        if saved is not None:
            self._trainer.load_state(saved.optimizer)
            self._progress = saved.progress
            self._saved = saved.progress.step

    def run(self) -> Progress:
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
        return self._progress

    def _steps(self) -> None:
        if self._is_over():
            return
        began = time.monotonic()
        for step in self._task.steps(self._progress.step + 1, self._recipe.max_steps):
            report = self._make(step)
            self._note(step, report, time.monotonic() - began)
            self._after_step()
            if self._is_over():
                return
            began = time.monotonic()

    def _is_over(self) -> bool:
        progress, patience = self._progress, self._settings.patience
        if progress.step >= self._recipe.max_steps:
            return True
        if patience is None or progress.validated is None or progress.best_step is None:
            return False
        return progress.validated - progress.best_step >= patience

    def _stop_together(self) -> None:
        """End the run where any process was told to: none must wait for one that is gone."""
        if self._ranks.any(self._stopped()):
            raise KeyboardInterrupt

    def _proceed(self) -> None:
        """Between micro-batches, which every process has a different number of, one alone may end."""
        if self._ranks.count == 1 and self._stopped():
            raise KeyboardInterrupt

    def _make(self, step: Step[BatchT]) -> ReportT:
        self._stop_together()
        try:
            return self._trainer.step(step.micro_batches, step.number, self._proceed)
        except TrainingError as error:
            raise self._explained(error, step) from None

    def _explained(self, error: TrainingError, step: Step[BatchT]) -> TrainingError:
        named = [step.places[index] for index in error.windows[:_PLACES_NAMED]]
        if len(error.windows) > len(named):
            named.append(f"{len(error.windows) - len(named):,} more")
        where = ", ".join(named) or "windows of another process"
        fix = "nothing of the step was kept; go on from a checkpoint with --init and a lower --lr"
        found = f"{error}, expected finite numbers; it comes from {where}"
        return TrainingError(f"{self._folder.path}: step {step.number}: {found}; {fix}", error.windows)

    def _note(self, step: Step[BatchT], report: ReportT, seconds: float) -> None:
        """Count a step and write its line."""
        was = self._progress
        self._progress = dataclasses.replace(
            was, step=step.number, tokens=was.tokens + step.bases, seconds=was.seconds + seconds
        )
        if self._log is None:
            return
        found = self._task.found(report)
        line = training_line(
            step.number,
            found.fields,
            lr=self._recipe.lr_at(step.number),
            gradient_norm=report.gradient_norm,
            tokens=self._progress.tokens,
            tokens_per_second=step.bases / seconds,
        )
        self._log.write(line)
        self._display.step(line, found.text)

    def _after_step(self) -> None:
        """What is due between steps; a run that was stopped before it was done takes it up here."""
        progress, settings = self._progress, self._settings
        if progress.step == 0:
            return
        is_last = progress.step == self._recipe.max_steps
        waits = settings.valid_every > 0 and progress.validated != progress.step
        if waits and (is_last or progress.step % settings.valid_every == 0):
            self._validate()
        if self._is_over() or progress.step % settings.checkpoint_every == 0:
            self._checkpoint()

    def _validate(self) -> None:
        self._stop_together()
        validation = self._task.validate(self._trainer, self._proceed)
        step, best = self._progress.step, self._progress.best_score
        is_best = best is None or validation.score < best
        self._progress = dataclasses.replace(self._progress, validated=step)
        if is_best:
            self._progress = dataclasses.replace(self._progress, best_step=step, best_score=validation.score)
        if self._log is None:
            return
        self._log.write(validation_line(step, validation.fields))
        self._display.validation(step, validation.text, best=is_best)
        if is_best and self._picks:
            self._save_model()

    def _checkpoint(self) -> None:
        """Write one, where this step has none yet; without validation it is the best model as well."""
        progress = self._progress
        if self._log is None or progress.step in (0, self._saved):
            return
        self._folder.save_checkpoint(
            progress,
            lambda folder: self._task.write_model(folder, progress),
            self._trainer.state(),
            keep=self._settings.keep,
        )
        self._saved = progress.step
        if not self._picks:
            self._save_model()

    @property
    def _picks(self) -> bool:
        """Whether the model is the best of those that are validated."""
        return self._settings.keeps_best and self._settings.valid_every > 0

    def _save_model(self) -> None:
        progress = self._progress
        self._folder.save_model(lambda folder: self._task.write_model(folder, progress))

    def _announce(self) -> None:
        if self._progress.step:
            logger.info("going on after step %s", f"{self._progress.step:,}")
        if not self._settings.valid_every:
            logger.info("nothing is validated: %s will be the last model, not the best", self._folder.model)

    def _outcome(self) -> str:
        progress = self._progress
        parts = [
            f"{progress.step:,} steps",
            f"{format_bases(progress.tokens)} in {format_duration(progress.seconds)}",
        ]
        if progress.best_score is not None:
            best = self._task.score_text(progress.best_score)
            parts.append(f"best {best}, after step {progress.best_step:,}")
        return f"{', '.join(parts)} -> {self._folder.model}"
