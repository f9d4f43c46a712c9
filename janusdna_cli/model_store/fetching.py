"""Fetching over HTTP: tried more than once, continued where it broke off, its checksum verified.

pooch keeps a file once it is there and its checksum right, and leaves the transfer to a downloader; its own
begins anew each time. `_Resuming` is one that goes on. Proxies and certificates are those of requests:
`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pooch
import requests
from urllib3.exceptions import NameResolutionError, ReadTimeoutError

from janusdna_cli.errors import InputError
from janusdna_cli.runtime.progress import download_progress

__all__ = ["PAUSES", "FetchError", "RemoteFile", "fetch", "get_json"]

PAUSES = [1.0, 4.0, 15.0]
"""Seconds before the second, third and fourth attempt."""

_TIMEOUT = (15.0, 60.0)  # seconds to connect, and without any answer
_CHUNK = 1 << 18
_AGAIN = {408, 425, 429, 500, 502, 503, 504}

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class FetchError(InputError):
    """What was asked for over the network did not come.

    Attributes:
        status: The server's answer, where there was one.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be fetched.

    Attributes:
        path: What it is called where it is kept, with its folders.
        url: Where it is.
        size: In bytes; None where that is not said.
        checksum: As `md5:...`; None where there is none.
        restricted: Whether its owners ask for permission.
    """

    path: str
    url: str
    size: int | None = None
    checksum: str | None = None
    restricted: bool = False


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
    except requests.exceptions.JSONDecodeError:
        raise FetchError(
            f"{_host(url)}: its answer is not JSON: is this the address of a Dataverse?"
        ) from None
    except requests.RequestException as error:
        raise FetchError(f"{_host(url)}: {_reason(error)}", _status(error)) from None


def fetch(file: RemoteFile, folder: Path, *, quiet: bool = False) -> Path:
    """The file in `folder`, under its name without folders; fetched unless it is there and right.

    Raises:
        FetchError: If it does not come, or not as its checksum says.
    """
    pooch.get_logger().setLevel(logging.WARNING)
    name = Path(file.path).name
    downloader = _Resuming(file, folder / f"{name}.part", quiet=quiet)
    try:
        return Path(
            pooch.retrieve(file.url, known_hash=file.checksum, fname=name, path=folder, downloader=downloader)
        )
    except requests.RequestException as error:
        there = downloader.partial.stat().st_size if downloader.partial.exists() else 0
        total = "an unknown number of" if file.size is None else f"{file.size:,}"
        kept = f", after {there:,} of {total} bytes, which are kept: run it again to go on" if there else ""
        message = f"{file.path}: {_host(file.url)}: {_reason(error)}{kept}"
        raise FetchError(message, _status(error)) from None


class _Resuming:
    """A pooch downloader that goes on with what an earlier attempt, or an earlier run, has left."""

    def __init__(self, file: RemoteFile, partial: Path, *, quiet: bool) -> None:
        self.file = file
        self.partial = partial
        self.quiet = quiet

    def __call__(self, url: str, output_file: Any, _: Any) -> None:
        """Fetch `url` to `output_file`.

        Raises:
            requests.RequestException: If it does not come.
            FetchError: If it comes, but not as its checksum says.
        """
        went_on = self._size() > 0
        self._complete(url)
        if went_on and self._found() != self.file.checksum:
            # What was left was of another file: that is no reason to give up.
            self.partial.unlink()
            self._complete(url)
        if (found := self._found()) != self.file.checksum:
            size = self._size()
            self.partial.unlink()
            raise FetchError(
                f"{self.file.path}: {size:,} bytes came with the checksum {found}, expected "
                f"{self.file.checksum}; they were removed, run it again"
            )
        shutil.move(self.partial, output_file)

    def _complete(self, url: str) -> None:
        with download_progress(Path(self.file.path).name, self.file.size, quiet=self.quiet) as show:
            _insist(self.file.path, lambda: self._go_on(url, show))

    def _go_on(self, url: str, show: Callable[[int], None]) -> None:
        done = self._size()
        if done and done == self.file.size:
            return
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                self.partial.unlink()
                raise requests.ConnectionError(f"what is left of {self.partial.name} is longer than the file")
            answer.raise_for_status()
            goes_on = answer.status_code == requests.codes.partial_content
            with self.partial.open("ab" if goes_on else "wb") as output:
                for chunk in answer.iter_content(_CHUNK):
                    output.write(chunk)
                    show(output.tell())
        if self.file.size is not None and self._size() < self.file.size:
            raise requests.exceptions.ChunkedEncodingError(f"{self._size():,} of {self.file.size:,} bytes")

    def _size(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _found(self) -> str | None:
        if self.file.checksum is None:
            return None
        algorithm = self.file.checksum.partition(":")[0]
        return f"{algorithm}:{pooch.file_hash(self.partial, alg=algorithm)}"


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
    if isinstance(error, requests.HTTPError):
        return _status(error) in _AGAIN
    final = (requests.exceptions.SSLError, requests.exceptions.ProxyError)
    passing = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, passing) and not isinstance(error, final) and not _is_unknown_host(error)


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answers {error.response.status_code} {error.response.reason}".rstrip()
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy that HTTPS_PROXY or HTTP_PROXY names cannot be used"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted; REQUESTS_CA_BUNDLE names a file of those to trust"
    if isinstance(error, requests.Timeout) or isinstance(_cause(error), ReadTimeoutError):
        return f"no answer in {_TIMEOUT[1]:g} s"
    if _is_unknown_host(error):
        return "its address cannot be found: is there a network?"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection: is there a network, and does it need a proxy (HTTPS_PROXY)?"
    return f"cannot be asked ({type(error).__name__})"


def _is_unknown_host(error: requests.RequestException) -> bool:
    return isinstance(getattr(_cause(error), "reason", None), NameResolutionError)


def _cause(error: requests.RequestException) -> object:
    return error.args[0] if error.args else None


def _status(error: requests.RequestException) -> int | None:
    return None if error.response is None else error.response.status_code


def _host(url: str) -> str:
    return urlsplit(url).netloc
