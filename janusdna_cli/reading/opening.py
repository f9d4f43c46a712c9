"""The model that settings name, ready to read, with what its user should know of it."""

from __future__ import annotations

import logging
from pathlib import Path

from janusdna.bundled import bundled_folder
from janusdna.reader import Model, find_named, load
from janusdna_cli.reading.settings import FALLBACK_WINDOW, ModelSettings
from janusdna_cli.runtime.threads import use_threads

__all__ = ["folder_of", "open_model", "window_of", "window_size"]

logger = logging.getLogger(__name__)


def open_model(settings: ModelSettings, *, with_head: bool = False) -> Model:
    """Load the model that `settings` name, on their device and threads.

    Args:
        settings: Which, and how it computes.
        with_head: Whether the caller reads its head of labels, too.

    Raises:
        CheckpointError: If it cannot be used.
        BackendError: If the device is not there.
    """
    use_threads(settings.threads)
    model = load(
        bundled_folder() if settings.model is None else settings.model,
        device=settings.device,
        dtype=settings.dtype,
        kv_dtype=settings.kv_dtype,
        kernels=settings.kernels,
    )
    _warn_of_training(model)
    if (labels := model.info.provenance.get("labels")) is not None and not with_head:
        told = "model %s is fine-tuned on labels of %s: its backbone is read, not its head"
        logger.info(told, model.info.name, labels)
    if model.info.slow_because is not None:
        logger.warning("%s", model.info.slow_because)
    info = model.info
    logger.debug("model %s on %s in %s, kernels %s", info.name, info.device, info.dtype, info.kernels)
    return model


def _warn_of_training(model: Model) -> None:
    provenance = model.info.provenance
    if provenance.get("trained") is False:
        logger.warning("model %s is untrained: its numbers show the way and mean nothing", model.info.name)
    objective = provenance.get("objective", "janus")
    if objective != "janus":
        logger.warning(
            "model %s was trained with --objective %s and is read as all models are, each base from all "
            "others, which it has not learned: its numbers are for comparisons only",
            model.info.name, objective,
        )  # fmt: skip


def window_size(settings: ModelSettings, model: Model) -> int:
    """Bases of context to read, with one warning where they are more than the model was trained on."""
    trained = model.config.trained_length
    size = window_of(settings, trained)
    if trained is not None and size > trained:
        logger.warning(
            "window %s is longer than the %s bases that %s was trained on",
            f"{size:,}", f"{trained:,}", model.info.name,
        )  # fmt: skip
    return size


def window_of(settings: ModelSettings, trained_length: int | None) -> int:
    """Bases of context to read, with a model that was trained on so many; None where nobody knows."""
    return settings.window or trained_length or FALLBACK_WINDOW


def folder_of(model: str | None) -> Path:
    """The folder that holds the model which settings name, if there is one."""
    if model is None:
        return bundled_folder()
    path = Path(model)
    if path.exists():
        return path if path.is_dir() else path.parent
    return find_named(model) or path
