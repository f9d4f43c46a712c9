"""The task: the authors' weights, from their dataset to a model in the user's cache folder."""

from __future__ import annotations

import dataclasses
import fcntl
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from janusdna.cache import model_folder
from janusdna.checkpoint import CONFIG_NAME, WEIGHTS_NAME, Checkpoint, save
from janusdna.config import ModelConfig
from janusdna.reader import find_named
from janusdna.reference_checkpoint import read_reference
from janusdna_cli.errors import InputError
from janusdna_cli.model_store.archives import is_archive, unpack
from janusdna_cli.model_store.dataverse import files_of
from janusdna_cli.model_store.fetching import FetchError, RemoteFile, fetch
from janusdna_cli.model_store.published import (
    FILES,
    choose,
    configuration_of,
    known_checksum,
    published_config,
)
from janusdna_cli.model_store.verification import verify_model

__all__ = ["DOI", "PAGE", "describe_dataset", "pull_model"]

DOI = "doi:10.7910/DVN/HDT0RN"
PAGE = "https://doi.org/10.7910/DVN/HDT0RN"

logger = logging.getLogger(__name__)


def describe_dataset() -> str:
    """One line a file of the dataset: its size in bytes, its path.

    Raises:
        FetchError: If the dataset cannot be listed.
    """
    with _by_hand("N"):
        files = files_of(DOI).values()
    width = max((len(f"{file.size:,}") for file in files), default=0)
    return "\n".join(f"{file.size:>{width},}  {file.path}" for file in files)


def pull_model(
    name: str,
    *,
    file: str | None = None,
    overwrite: bool = False,
    keep_download: bool = False,
    quiet: bool = False,
) -> Path:
    """Fetch published weights, convert and verify them, unless they are here; where they are.

    Args:
        name: A published name.
        file: Which file of the dataset holds them; None for the one that is known, or told by its name.
        overwrite: Fetch them though they are here.
        keep_download: Keep what was downloaded beside the model.
        quiet: Show no progress.

    Raises:
        InputError: If nothing published is called so, or what is downloaded is not what its name says.
        FetchError: If it cannot be fetched; the message says what to do by hand.
        CheckpointError: If the download is no checkpoint.
    """
    config = published_config(name)
    folder = model_folder(name)
    assert folder is not None  # a published name is a name
    if find_named(name) and not overwrite:
        logger.info("%s is here: %s; --overwrite fetches it again", name, folder)
        return folder
    with _alone(folder):
        if find_named(name) and not overwrite:  # another process was faster
            return folder
        download = folder / "download"
        checkpoint = _fetch(name, config, file or FILES[name], download, quiet=quiet)
        digest = _keep(dataclasses.replace(checkpoint, name=name), folder)
        if not keep_download:
            shutil.rmtree(download)
    logger.info("%s: %s written, sha256 %s", folder, name, digest)
    return folder


def _fetch(name: str, config: ModelConfig, file: str, download: Path, *, quiet: bool) -> Checkpoint:
    with _by_hand(str(config.trained_length)):
        files = files_of(DOI)
        source = _as_known(files[choose(files, file)])
        logger.info("%s is %s, %s bytes", name, source.path, f"{source.size:,}")
        here = fetch(source, download, quiet=quiet)
        if is_archive(source.path):
            checkpoint, configuration = unpack(here, download)
        else:
            beside = _as_known(files[configuration_of(source.path, files)])
            checkpoint, configuration = here, fetch(beside, download, quiet=quiet)
    found = read_reference(checkpoint, configuration, length=config.trained_length)
    _check_sizes(name, config, found.config, source.path)
    logger.info("%s %s the final MLP", source.path, "has" if found.config.final_mlp else "is without")
    origin = {"source": source.path, "dataset": DOI, "download_checksum": source.checksum}
    return dataclasses.replace(found, provenance=found.provenance | origin)


def _as_known(file: RemoteFile) -> RemoteFile:
    """With the checksum that is known of it, else with the dataset's."""
    return dataclasses.replace(file, checksum=known_checksum(file.path) or file.checksum)


def _check_sizes(name: str, expected: ModelConfig, found: ModelConfig, source: str) -> None:
    if (found.hidden_size, found.attention_layers) != (expected.hidden_size, expected.attention_layers):
        raise InputError(
            f"{source}: is a model of hidden size {found.hidden_size} with attention in layers "
            f"{list(found.attention_layers)}, and {name} one of {expected.hidden_size} with "
            f"{list(expected.attention_layers)}; name another file with --file"
        )


def _keep(checkpoint: Checkpoint, folder: Path) -> str:
    """Put a model into its folder once it is verified, and return the sha256 of its weights."""
    unverified = folder / "unverified"
    try:
        digest = save(checkpoint, unverified)
        logger.info("%s: known answer: %s", checkpoint.name, verify_model(unverified)["known answer"])
        for part in (WEIGHTS_NAME, CONFIG_NAME):
            (unverified / part).replace(folder / part)
    finally:
        shutil.rmtree(unverified, ignore_errors=True)
    return digest


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Within it, no other process works on `folder`; where locks do not work, it is not made sure of."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f".{folder.name}.lock").open("w")
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{folder}: cannot be written ({reason}); set XDG_CACHE_HOME to a folder that can"
        ) from None
    with lock:
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _by_hand(length: str) -> Iterator[None]:
    """Adds to what goes wrong on the way to the dataset what to do without it."""
    try:
        yield
    except FetchError as error:
        raise FetchError(
            f"{error}; by hand: download a checkpoint and its configuration from {PAGE} (unpack an archive), "
            f"then: janusdna models convert FILE.ckpt -o DIR --length {length}"
        ) from None
