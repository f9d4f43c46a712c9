"""Fetching over HTTP: tried again where that may help, continued where it broke off, its checksum verified.

pooch keeps a file once it is there and its checksum right, and leaves the transfer to a downloader; its own
begins anew each time, ours goes on. Proxies and certificates are those of requests: `HTTPS_PROXY`,
`HTTP_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pooch
import requests

from janusdna_cli.errors import InputError
from janusdna_cli.runtime.progress import download_progress

__all__ = ["PAUSES", "FetchError", "RemoteFile", "fetch", "get_json"]

PAUSES = [1.0, 4.0, 15.0]
"""Seconds before the second, third and fourth attempt."""

_TIMEOUT = (15.0, 60.0)  # seconds to connect, and without any answer
_CHUNK = 1 << 18
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_REASONS = {  # the first that fits: most are connection errors too
    requests.exceptions.ProxyError: "the proxy that HTTPS_PROXY or HTTP_PROXY names cannot be used",
    requests.exceptions.SSLError: (
        "its certificate is not trusted; REQUESTS_CA_BUNDLE names a file of those to trust"
    ),
    requests.Timeout: f"no answer in {_TIMEOUT[1]:g} s",
    requests.exceptions.ChunkedEncodingError: "the connection broke off",
    requests.ConnectionError: "no connection: is there a network, and does it need a proxy (HTTPS_PROXY)?",
    requests.exceptions.JSONDecodeError: "its answer is not JSON: is this the address of a Dataverse?",
}

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class FetchError(InputError):
    """What was asked for over the network did not come, or not as its checksum says."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be fetched.

    Attributes:
        path: What it is called where it is kept, with its folders.
        url: Where it is.
        size: In bytes.
        checksum: Such as `md5:...`.
    """

    path: str
    url: str
    size: int
    checksum: str


def get_json(url: str, parameters: dict[str, str]) -> Any:
    """What a server answers to a question, as JSON.

    Raises:
        FetchError: If it cannot be reached, or answers with an error or anything else.
    """

    def ask() -> Any:
        with requests.get(url, params=parameters, timeout=_TIMEOUT) as answer:
            answer.raise_for_status()
            return answer.json()

    try:
        return _insist(_host(url), ask)
    except requests.RequestException as error:
        raise FetchError(f"{_host(url)}: {_reason(error)}") from None


def fetch(file: RemoteFile, folder: Path, *, quiet: bool = False) -> Path:
    """The file in `folder`, under its name without folders; fetched unless it is there and right.

    Raises:
        FetchError: If it does not come, or not as its checksum says.
    """
    pooch.get_logger().setLevel(logging.WARNING)
    name = PurePosixPath(file.path).name
    partial = folder / f"{name}.{file.checksum[-12:]}.part"  # never continued with another file's bytes

    def download(url: str, output: str, _: object) -> None:
        with download_progress(name, file.size, quiet=quiet) as show:
            _insist(file.path, lambda: _go_on(url, partial, show))
        shutil.move(partial, output)

    try:
        return Path(pooch.retrieve(file.url, file.checksum, fname=name, path=folder, downloader=download))
    except requests.RequestException as error:
        there = partial.stat().st_size if partial.exists() else 0
        kept = f", after {there:,} of {file.size:,} bytes, which are kept: run it again to go on"
        raise FetchError(f"{file.path}: {_host(file.url)}: {_reason(error)}{kept if there else ''}") from None
    except ValueError as error:  # pooch's, of a wrong checksum: names both
        raise FetchError(f"{file.path}: {error}".rstrip(".")) from None


def _go_on(url: str, partial: Path, show: Callable[[int], None]) -> None:
    """Add to `partial` what is not yet there of the file at `url`."""
    done = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
        if answer.status_code != requests.codes.requested_range_not_satisfiable:
            answer.raise_for_status()
            goes_on = answer.status_code == requests.codes.partial_content
            with partial.open("ab" if goes_on else "wb") as output:
                for chunk in answer.iter_content(_CHUNK):
                    output.write(chunk)
                    show(output.tell())


def _insist(what: str, attempt: Callable[[], Result]) -> Result:
    """What `attempt` returns, tried again after a pause where that may help."""
    for pause in PAUSES:
        try:
            return attempt()
        except requests.RequestException as error:
            if not _may_pass(error):
                raise
            logger.info("%s: %s; again in %g s", what, _reason(error), pause)
            time.sleep(pause)
    return attempt()


def _may_pass(error: requests.RequestException) -> bool:
    """Whether a server that was reached may do better next time."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code in _AGAIN
    return isinstance(error, requests.Timeout | requests.exceptions.ChunkedEncodingError)


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answers {error.response.status_code} {error.response.reason}".rstrip()
    found = (reason for kind, reason in _REASONS.items() if isinstance(error, kind))
    return next(found, f"cannot be asked ({type(error).__name__})")


def _host(url: str) -> str:
    return urlsplit(url).netloc
