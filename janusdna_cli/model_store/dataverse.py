"""The files of a dataset in a Dataverse, by its API.

pooch knows Dataverse too, but by file names without their folders, and two of one name as one.

Source: guides.dataverse.org, Native API ("Get JSON Representation of a Dataset") and Data Access API.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from janusdna_cli.errors import InputError
from janusdna_cli.model_store.fetching import FetchError, RemoteFile, get_json

__all__ = ["SERVER_VARIABLE", "files_of"]

SERVER_VARIABLE = "JANUSDNA_DATAVERSE"
_HARVARD = "https://dataverse.harvard.edu"


def files_of(doi: str) -> dict[str, RemoteFile]:
    """The files of the latest published version of a dataset, by their paths, which order them.

    Args:
        doi: Such as `doi:10.7910/DVN/HDT0RN`.

    Raises:
        FetchError: If the server cannot be reached, or does not answer as a Dataverse does.
        InputError: If JANUSDNA_DATAVERSE is no address.
    """
    server = _server()
    answer = get_json(f"{server}/api/datasets/:persistentId/", {"persistentId": doi})
    try:
        files = [_file(entry, server) for entry in answer["data"]["latestVersion"]["files"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise FetchError(
            f"{urlsplit(server).netloc}: its answer is not that of a Dataverse's API "
            f"({type(error).__name__}: {error}): it may have changed"
        ) from None
    return {file.path: file for file in sorted(files, key=lambda file: file.path)}


def _server() -> str:
    address = os.environ.get(SERVER_VARIABLE) or _HARVARD
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(f"{SERVER_VARIABLE} is {address!r}: expected an address such as {_HARVARD}")
    return address.rstrip("/")


def _file(entry: dict[str, Any], server: str) -> RemoteFile:
    content = entry["dataFile"]
    told = content.get("checksum") or {"type": "MD5", "value": content["md5"]}
    name = entry.get("label") or content["filename"]
    folder = entry.get("directoryLabel")
    return RemoteFile(
        path=f"{folder}/{name}" if folder else name,
        url=f"{server}/api/access/datafile/{content['id']}",
        size=content["filesize"],
        checksum=f"{told['type'].lower().replace('-', '')}:{told['value'].lower()}",
    )
