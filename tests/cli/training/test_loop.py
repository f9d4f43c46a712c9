"""The loop trains what is no genome: a line through points, with its own batches, report and validation."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from janusdna.errors import TrainingError
from janusdna.recipe import Recipe
from janusdna.training import Trainer
from janusdna_cli.runtime.ranks import Ranks
from janusdna_cli.training.loop import LoopSettings, TrainingLoop
from janusdna_cli.training.run_directory import Progress, RunDirectory, Saved
from janusdna_cli.training.task import Found, Step, Validation

RECIPE = Recipe(max_steps=12, lr=0.3, warmup=0, weight_decay=0.0)


@dataclass(frozen=True)
class Points:
    x: torch.Tensor
    y: torch.Tensor

    @property
    def size(self) -> int:
        return len(self.x)

    def part(self, start: int, end: int) -> "Points":
        return Points(self.x[start:end], self.y[start:end])


@dataclass(frozen=True)
class Report:
    loss: float
    gradient_norm: float | None


class Squares:
    """The mean square of what a line misses."""

    seen = 2

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = nn.Linear(2, 1)

    def trained(self) -> dict[str, nn.Parameter]:
        return dict(self.network.named_parameters())

    def weigh(self, micro_batches: Sequence[Points]) -> tuple[float, ...]:
        return (sum(one.size for one in micro_batches),)

    def read(self, batch: Points, totals: tuple[float, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        missed = (self.network(batch.x)[:, 0] - batch.y).square().sum()
        return missed / totals[0], torch.tensor([missed.item(), batch.size], dtype=torch.float64)

    def report(self, sums: Sequence[float], gradient_norm: float | None) -> Report:
        return Report(sums[0] / sums[1], gradient_norm)


class Line:
    """Points of a step follow from its number; the scores of validations are given."""

    def __init__(self, scores: Sequence[float] = ()) -> None:
        self.loss = Squares()
        self.scores = iter(scores)
        self.poisoned = False

    def steps(self, first: int, last: int) -> Iterator[Step[Points]]:
        for number in range(first, last + 1):
            x = torch.randn(6, 2, generator=torch.Generator().manual_seed(number))
            y = x @ torch.tensor([2.0, -1.0]) + 0.5
            if self.poisoned:
                y[4] = torch.inf
            whole = Points(x, y)
            places = [f"row {number}.{row}" for row in range(6)]
            yield Step(number, [whole.part(0, 3), whole.part(3, 6)], places, bases=6)

    def found(self, report: Report) -> Found:
        return Found({"loss": report.loss, "mse": report.loss}, f"mse {report.loss:.3f}")

    def validate(self, trainer: Trainer[Points, Report], proceed: Callable[[], None]) -> Validation:
        (step,) = self.steps(1000, 1000)
        report = trainer.evaluate(step.micro_batches, proceed)
        score = next(self.scores, report.loss)
        return Validation({"valid_mse": report.loss}, f"mse {report.loss:.3f}", score)

    def score_text(self, score: float) -> str:
        return f"score {score:g}"

    def write_model(self, folder: Path, progress: Progress) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.loss.network.state_dict(), folder / "line.safetensors")


def loop(task: Line, path: Path, saved: Saved[dict[str, torch.Tensor]] | None = None, **due: int):
    path.mkdir(exist_ok=True)
    settings = LoopSettings(**({"valid_every": 2, "checkpoint_every": 5, "quiet": True} | due))
    ranks = Ranks(torch.device("cpu"))
    return TrainingLoop(task, RECIPE, settings, RunDirectory(path), ranks, lambda: False, saved)


def lines(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text("utf-8").splitlines()]


def test_a_task_of_its_own_is_trained_validated_and_saved(tmp_path: Path) -> None:
    task = Line()
    progress = loop(task, tmp_path).run()
    assert (progress.step, progress.tokens, progress.validated) == (12, 72, 12)
    made = [line for line in lines(tmp_path) if "mse" in line]
    validated = [line for line in lines(tmp_path) if "valid_mse" in line]
    assert [line["step"] for line in validated] == [2, 4, 6, 8, 10, 12]
    assert set(made[0]) == {"step", "loss", "mse", "lr", "gradient_norm", "tokens", "tokens_per_second"}
    assert validated[-1]["valid_mse"] < validated[0]["valid_mse"]
    best = min(validated, key=lambda line: line["valid_mse"])
    assert (progress.best_step, progress.best_score) == (best["step"], best["valid_mse"])
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "step-10",
        "step-12",
        "step-5",
    ]
    kept = load_file(tmp_path / "model" / "line.safetensors")
    assert torch.equal(kept["weight"], task.loss.network.weight) == (progress.best_step == 12)


def test_the_gradient_of_a_step_is_that_of_all_its_points() -> None:
    task = Line()
    (step,) = task.steps(3, 3)
    Trainer(task.loss, RECIPE, lanes=2).gradient(step.micro_batches)
    x, y = (torch.cat([getattr(one, name) for one in step.micro_batches]).double() for name in "xy")
    exact = Line().loss.network.double()
    (exact(x)[:, 0] - y).square().mean().backward()
    torch.testing.assert_close(task.loss.network.weight.grad.double(), exact.weight.grad)


def test_it_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path: Path) -> None:
    whole = Line()
    loop(whole, tmp_path / "whole").run()
    loop(Line(), tmp_path / "part").run()
    for late in ("step-10", "step-12"):
        (tmp_path / "part" / "checkpoints" / late / "progress.json").write_bytes(300 * b"\0")
    saved = RunDirectory(tmp_path / "part").newest(lambda folder: load_file(folder / "line.safetensors"))
    assert saved is not None
    assert saved.progress.step == 5
    task = Line()
    task.loss.network.load_state_dict(saved.model)
    loop(task, tmp_path / "part", saved).run()
    assert torch.equal(task.loss.network.weight, whole.loss.network.weight)
    one, other = (
        [line | {"tokens_per_second": 0} for line in lines(tmp_path / name)] for name in ("whole", "part")
    )
    assert one == other


@pytest.mark.parametrize(
    ("scores", "last"),
    [([3, 2, 2, 2, 2, 2], 8), ([3, 4, 5, 1, 0, 2], 6), ([6, 5, 4, 3, 2, 1], 12), ([1, 2, 0, 2, 2, 2], 10)],
)
def test_patience_ends_a_training_that_gets_no_better(tmp_path: Path, scores: list[float], last: int) -> None:
    progress = loop(Line(scores), tmp_path, patience=4).run()
    assert progress.step == last
    assert progress.best_score == min(scores[: last // 2])
    assert (tmp_path / "checkpoints" / f"step-{last}").is_dir()
    saved = RunDirectory(tmp_path).newest(lambda folder: load_file(folder / "line.safetensors"))
    assert loop(Line(), tmp_path, saved, patience=4).run().step == last


def test_a_step_that_is_not_finite_names_what_its_task_calls_its_examples(tmp_path: Path) -> None:
    task = Line()
    task.poisoned = True
    with pytest.raises(TrainingError, match=r"step 1: the loss is inf.*it comes from row 1\.4; nothing"):
        loop(task, tmp_path).run()


def test_progress_of_before_other_trainings_came_is_read(tmp_path: Path) -> None:
    loop(Line(), tmp_path).run()
    path = tmp_path / "checkpoints" / "step-12" / "progress.json"
    fields = json.loads(path.read_text("utf-8"))
    score = fields.pop("best_score")
    path.write_text(json.dumps(fields | {"best_bits_per_base": score}), "utf-8")
    saved = RunDirectory(tmp_path).newest(lambda folder: load_file(folder / "line.safetensors"))
    assert saved is not None
    assert (saved.progress.step, saved.progress.best_score) == (12, score)
