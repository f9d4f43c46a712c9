"""What a suite of benchmarks is: tasks with their files, a protocol, and published numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Protocol", "Suite", "SuiteTask"]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a suite's models are trained.

    Attributes:
        lr, batch: Of which the best pair is chosen by validation.
        seeds: One training each.
        epochs: Of a training.
        options: Others of `FinetuneSettings`.
    """

    lr: tuple[float, ...]
    batch: tuple[int, ...]
    seeds: tuple[int, ...]
    epochs: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SuiteTask:
    """A task.

    Attributes:
        name: As its folder or column has it.
        files: Fields of `FinetuneSettings` that name its files.
        metric: By which models are chosen and compared.
        published: What others found, by model.
    """

    name: str
    files: Mapping[str, Any]
    metric: str
    published: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Tasks and their protocol.

    Attributes:
        name: As the command line has it.
        title: As people call it.
        tasks: Those whose files are there.
        protocol: The paper's.
        notes: What must be known of its numbers.
    """

    name: str
    title: str
    tasks: tuple[SuiteTask, ...]
    protocol: Protocol
    notes: tuple[str, ...] = ()
