"""The files of a dataset in a Dataverse, by its API.

pooch knows Dataverse too, but by file names without their folders, two of one name as one, and MD5 alone.

Source: guides.dataverse.org, Native API ("Get JSON Representation of a Dataset") and Data Access API.
"""

from __future__ import annotations

import hashlib
import logging
import os
from typing import Any
from urllib.parse import urlsplit

from janusdna_cli.errors import InputError
from janusdna_cli.model_store.fetching import FetchError, RemoteFile, get_json

__all__ = ["SERVER_VARIABLE", "files_of", "server"]

SERVER_VARIABLE = "JANUSDNA_DATAVERSE"
_HARVARD = "https://dataverse.harvard.edu"

logger = logging.getLogger(__name__)


def server() -> str:
    """The Dataverse that is asked: Harvard's, or what JANUSDNA_DATAVERSE says.

    Raises:
        InputError: If that is no address.
    """
    address = os.environ.get(SERVER_VARIABLE) or _HARVARD
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(f"{SERVER_VARIABLE} is {address!r}: expected an address such as {_HARVARD}")
    return address.rstrip("/")


def files_of(doi: str) -> list[RemoteFile]:
    """The files of the latest published version of a dataset, by their paths.

    Args:
        doi: Such as `doi:10.7910/DVN/HDT0RN`.

    Raises:
        FetchError: If the server cannot be reached, or does not answer as a Dataverse does.
    """
    address = server()
    answer = get_json(f"{address}/api/datasets/:persistentId/", {"persistentId": doi})
    try:
        entries = answer["data"]["latestVersion"]["files"]
        files = [_file(entry, address) for entry in entries]
    except (KeyError, TypeError, AttributeError) as error:
        raise FetchError(
            f"{urlsplit(address).netloc}: its answer is not that of a Dataverse's API "
            f"({type(error).__name__}: {error}): it may have changed"
        ) from None
    return sorted(files, key=lambda file: file.path)


def _file(entry: dict[str, Any], address: str) -> RemoteFile:
    content = entry["dataFile"]
    name = entry.get("label") or content["filename"]
    folder = entry.get("directoryLabel")
    return RemoteFile(
        path=f"{folder}/{name}" if folder else name,
        url=f"{address}/api/access/datafile/{content['id']}",
        size=content.get("filesize"),
        checksum=_checksum(content),
        restricted=bool(entry.get("restricted")),
    )


def _checksum(content: dict[str, Any]) -> str | None:
    told = content.get("checksum") or {}
    kind, value = told.get("type", "md5"), told.get("value") or content.get("md5")
    algorithm = kind.lower().replace("sha-", "sha")
    if not value or algorithm not in hashlib.algorithms_available:
        logger.debug("%s: no checksum that can be verified (%s)", content.get("filename"), kind)
        return None
    return f"{algorithm}:{value.lower()}"
