"""How the kernels for CPUs are compiled, and where their machine code is kept between runs.

Numba keeps it as pickles. Its own cache fails before anything runs where no folder can be written, and at
every start once a file of it is damaged; it takes for fresh what was compiled with older versions of the
files that a kernel imports; and it opens whatever stands in its folder. Here a folder is used only if nobody
else can write in it, a file only if it is whole, and what cannot be kept is compiled again.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numba.extending
from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, _CacheLocator

from janusdna.cache import cache_folder, is_own

__all__ = ["compiled", "intrinsic", "kernel_folder"]

_DAMAGED = "compiled kernels in %s are damaged: they are compiled anew"
_DIGEST_BYTES = hashlib.sha256().digest_size

logger = logging.getLogger(__name__)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile at first use, and keep the machine code for later runs where there is a place for it."""
    kernel: Any = njit(nogil=True, error_model="numpy")(function)
    if kernel_folder() is not None:
        kernel._cache = _Cache(function)  # what Numba's `cache=True` does
    return kernel


def intrinsic(generator: Callable[..., Any]) -> Any:
    """Numba's decorator, untyped: what is called in a kernel takes no typing context."""
    return numba.extending.intrinsic(generator)


@cache
def kernel_folder() -> Path | None:
    """Where machine code is kept; None, with a warning, where no folder can be written by this user alone."""
    for folder in _candidates():
        if _is_usable(folder):
            return folder
    logger.warning(
        "no folder to keep compiled kernels in: they are compiled at every start, which takes a minute or "
        "more; set XDG_CACHE_HOME or NUMBA_CACHE_DIR to a folder that you, and nobody else, can write"
    )
    return None


def _candidates() -> Iterator[Path]:
    name = f"kernels-{_stamp()[:16]}"
    if chosen := getattr(numba.config, "CACHE_DIR", ""):
        yield Path(chosen) / name
    yield Path(__file__).parent / "__pycache__"
    yield cache_folder() / name


def _is_usable(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        # What permissions say is not all: file systems are read-only, and root may write everywhere else.
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return is_own(folder)


@cache
def _stamp() -> str:
    """Of all that machine code is made from: a kernel holds copies of what it imports."""
    made_from = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        made_from.update(source.read_bytes())
    return made_from.hexdigest()


class _Locator(_CacheLocator):
    """Tells Numba the folder."""

    def __init__(self, function: Callable[..., Any], file: str) -> None:
        self._py_file = file  # where Numba says that its warnings come from
        self._line = function.__code__.co_firstlineno

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> _Locator:
        return cls(function, file)

    def ensure_cache_path(self) -> None:
        """It is there."""

    def get_cache_path(self) -> str:
        return str(kernel_folder())

    def get_source_stamp(self) -> str:
        return _stamp()

    def get_disambiguator(self) -> str:
        return str(self._line)


class _Located(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012 - as Numba declares it


class _Cache(FunctionCache):
    _impl_class = _Located

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, _stamp())


class _Files(IndexDataCacheFile):
    """A kernel's index and its machine code, the latter after its sha256: a crash can leave zeros."""

    def load(self, key: object) -> Any:
        """None for what is not there or not whole."""
        try:
            return super().load(key)
        except Exception:  # a damaged pickle fails in any way it likes
            _warn_once(_DAMAGED, self._cache_path)
            return None

    def save(self, key: object, data: object) -> None:
        try:
            super().save(key, data)
        except OSError as error:
            _warn_once(f"compiled kernels cannot be kept in %s: {error.strerror}", self._cache_path)

    def _load_index(self) -> dict[Any, str]:
        """Empty if it is damaged: it is written anew when something is kept."""
        try:
            return dict(super()._load_index())
        except Exception:
            _warn_once(_DAMAGED, self._cache_path)
            return {}

    def _load_data(self, name: str) -> Any:
        content = Path(self._data_path(name)).read_bytes()
        digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(data).digest() != digest:
            raise ValueError(f"{name} is not what was written")
        return pickle.loads(data)

    def _save_data(self, name: str, data: object) -> None:
        dumped = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(hashlib.sha256(dumped).digest() + dumped)


@cache
def _warn_once(message: str, folder: str) -> None:
    logger.warning(message, folder)
