"""The task: the authors' weights, from their dataset to a model in the user's cache folder."""

from __future__ import annotations

import dataclasses
import fcntl
import logging
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from janusdna.cache import model_folder
from janusdna.checkpoint import Checkpoint, build, save
from janusdna.reader import find_named
from janusdna.reference_checkpoint import CONFIG_NAME, read_reference
from janusdna_cli.errors import InputError
from janusdna_cli.model_store.dataverse import files_of
from janusdna_cli.model_store.fetching import FetchError, RemoteFile, fetch
from janusdna_cli.model_store.published_names import (
    Published,
    choose,
    choose_named,
    choose_within,
    configuration_of,
    is_archive,
    published,
)

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
        files = files_of(DOI)
    width = max((len(f"{file.size or 0:,}") for file in files), default=0)
    notes = {True: "  (its authors ask for permission)", False: ""}
    return "\n".join(f"{file.size or 0:>{width},}  {file.path}{notes[file.restricted]}" for file in files)


def pull_model(
    name: str,
    *,
    file: str | None = None,
    overwrite: bool = False,
    keep_download: bool = False,
    quiet: bool = False,
) -> Path:
    """Fetch published weights and convert them, unless they are here; where they are.

    Args:
        name: A published name.
        file: Which file of the dataset holds them; None to tell it from the names there.
        overwrite: Fetch them though they are here.
        keep_download: Keep what was downloaded beside the model.
        quiet: Show no progress.

    Raises:
        InputError: If nothing published is called so, or what is downloaded is not what its name says.
        FetchError: If it cannot be fetched; the message says what to do by hand.
        CheckpointError: If the download is no checkpoint.
    """
    wanted = published(name)
    folder = model_folder(name)
    assert folder is not None  # a published name is a name
    if find_named(name) and not overwrite:
        logger.info("%s is here: %s; --overwrite fetches it again", name, folder)
        return folder
    with _alone(folder):
        if find_named(name) and not overwrite:  # another process was faster
            return folder
        download = folder / "download"
        checkpoint = _fetch(wanted, file, download, quiet=quiet)
        digest = save(checkpoint, folder)
        if not keep_download:
            shutil.rmtree(download)
    logger.info("%s: %s written, sha256 %s", folder, name, digest)
    return folder


def _fetch(wanted: Published, file: str | None, download: Path, *, quiet: bool) -> Checkpoint:
    with _by_hand(str(wanted.config.trained_length)):
        files = {found.path: found for found in files_of(DOI)}
    chosen = choose(list(files), wanted) if file is None else choose_named(list(files), file)
    logger.info("%s is %s", wanted.name, _sized(files[chosen]))
    needed = [chosen] if is_archive(chosen) else [chosen, configuration_of(chosen, list(files))]
    with _by_hand(str(wanted.config.trained_length)):
        here = [fetch(_allowed(files[path]), download, quiet=quiet) for path in needed]
    checkpoint, configuration = _unpack(here[0], download) if is_archive(chosen) else here
    return _read(wanted, checkpoint, configuration, files[chosen])


def _read(wanted: Published, checkpoint: Path, configuration: Path, source: RemoteFile) -> Checkpoint:
    found = read_reference(checkpoint, configuration, length=wanted.config.trained_length)
    build(found)
    config = found.config
    if (config.hidden_size, config.attention_layers) != (
        wanted.config.hidden_size,
        wanted.config.attention_layers,
    ):
        raise InputError(
            f"{source.path}: is a model of hidden size {config.hidden_size} with attention in layers "
            f"{list(config.attention_layers)}, and {wanted.name} one of {wanted.config.hidden_size} with "
            f"{list(wanted.config.attention_layers)}; name another file with --file"
        )
    logger.info("%s %s the final MLP", source.path, "has" if config.final_mlp else "is without")
    provenance = found.provenance | {
        "source": source.path,
        "dataset": DOI,
        "download_checksum": source.checksum,
    }
    return dataclasses.replace(found, name=wanted.name, provenance=provenance)


def _allowed(file: RemoteFile) -> RemoteFile:
    if file.restricted:
        raise FetchError(f"{file.path}: its authors ask for permission first, on its page")
    return file


def _sized(file: RemoteFile) -> str:
    return file.path if file.size is None else f"{file.path}, {file.size:,} bytes"


def _unpack(archive: Path, download: Path) -> tuple[Path, Path]:
    """The checkpoint and its configuration out of an archive; nothing else of it is written."""
    unpack = _unpack_zip if archive.suffix == ".zip" else _unpack_tar
    try:
        return unpack(archive, download)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise InputError(f"{archive}: not a readable archive, or cut short: {error}") from None


def _unpack_zip(archive: Path, download: Path) -> tuple[Path, Path]:
    with zipfile.ZipFile(archive) as pack:
        names = [entry.filename for entry in pack.infolist() if not entry.is_dir()]
        return _take(names, pack.open, archive, download)


def _unpack_tar(archive: Path, download: Path) -> tuple[Path, Path]:
    with tarfile.open(archive) as pack:
        names = [member.name for member in pack.getmembers() if member.isfile()]

        def open_member(name: str) -> IO[bytes]:
            content = pack.extractfile(name)
            assert content is not None  # it is a file
            return content

        return _take(names, open_member, archive, download)


def _take(
    names: list[str], open_member: Callable[[str], IO[bytes]], archive: Path, download: Path
) -> tuple[Path, Path]:
    checkpoint = choose_within(names, archive.name)
    configuration = configuration_of(checkpoint, names)
    taken = {checkpoint: download / "last.ckpt", configuration: download / CONFIG_NAME}
    for name, place in taken.items():
        with open_member(name) as content, place.open("wb") as output:
            shutil.copyfileobj(content, output)
    return download / "last.ckpt", download / CONFIG_NAME


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
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                logger.info("%s: another process fetches it; waiting", folder)
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _by_hand(length: str) -> Iterator[None]:
    """Adds to what goes wrong on the way to the dataset what to do without it."""
    try:
        yield
    except FetchError as error:
        hint = {
            401: "; its authors ask for permission first",
            403: "; its authors ask for permission first",
            404: f"; it may have moved: {PAGE} leads to it",
        }.get(error.status or 0, "")
        raise FetchError(
            f"{error}{hint}; by hand: download a checkpoint and its {CONFIG_NAME} from {PAGE} (unpack an "
            f"archive), then: janusdna models convert FILE.ckpt -o DIR --length {length}",
            error.status,
        ) from None
