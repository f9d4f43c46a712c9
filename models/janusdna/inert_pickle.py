"""Opens a PyTorch checkpoint without running it.

A checkpoint is a pickle from the internet, and a pickle may name any function to call. Here nothing
is looked up by name: tensors are rebuilt by this file's own code, and every other class or function
becomes an inert placeholder that ignores what it is given.
"""

from __future__ import annotations

import collections
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from janusdna.errors import CheckpointError

__all__ = ["Inert", "read_pickle"]

_STORAGE_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Inert:
    """Stands for any object of any class; accepts whatever a pickle does to it and keeps nothing."""

    def __new__(cls, *_args: object, **_kwargs: object) -> Inert:
        """The same for every call."""
        return super().__new__(cls)

    def __init__(self, *_args: object, **_kwargs: object) -> None: ...
    def __setstate__(self, _state: object) -> None: ...
    def __setitem__(self, _key: object, _value: object) -> None: ...
    def __call__(self, *_args: object, **_kwargs: object) -> Inert:
        """An instance that was called like a function."""
        return self

    def append(self, _item: object) -> None:
        """As a list."""

    def extend(self, _items: object) -> None:
        """As a list."""

    def add(self, _item: object) -> None:
        """As a set."""


def read_pickle(path: Path) -> Any:
    """The object in the zip file that `torch.save` wrote, with tensors and plain containers only.

    Raises:
        CheckpointError: If the file is missing, empty, cut short or no such checkpoint.
    """
    try:
        if path.stat().st_size == 0:
            raise CheckpointError(f"{path}: the file is empty")
        with zipfile.ZipFile(path) as archive:
            return _read_archive(path, archive)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except zipfile.BadZipFile:
        raise CheckpointError(
            f"{path}: cut short, or not a checkpoint that PyTorch 1.6 or newer wrote (a zip file)"
        ) from None
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from None


def _read_archive(path: Path, archive: zipfile.ZipFile) -> Any:
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise CheckpointError(f"{path}: a zip file with {len(pickles)} data.pkl inside: expected one")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
        raise CheckpointError(f"{path}: big-endian tensors: convert on the machine that wrote them")
    unpickler = _InertUnpickler(io.BytesIO(archive.read(pickles[0])), archive, root)
    try:
        return unpickler.load()
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except zipfile.BadZipFile:
        raise
    # A hostile pickle can make the unpickler fail in any way it likes.
    except Exception as error:
        raise CheckpointError(f"{path}: not a readable pickle: {type(error).__name__}: {error}") from None


class _InertUnpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(stream)
        self._archive = archive
        self._root = root

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _rebuild_tensor
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _rebuild_parameter
        if module == "torch" and name in _STORAGE_DTYPES:
            return _STORAGE_DTYPES[name]
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) in {("builtins", "dict"), ("__builtin__", "dict")}:
            return dict
        return Inert

    def persistent_load(self, pid: Any) -> Tensor:
        kind, dtype, key, _location, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise CheckpointError(f"storage of unknown kind {dtype!r}")
        try:
            data = self._archive.read(f"{self._root}data/{key}")
        except KeyError:
            raise CheckpointError(f"storage {key} is missing") from None
        if len(data) != count * dtype.itemsize:
            raise CheckpointError(
                f"storage {key} has {len(data)} bytes: expected {count} elements of {dtype}"
            )
        return torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)


def _rebuild_tensor(
    storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> Tensor:
    return storage.as_strided(size, stride, offset).clone()


def _rebuild_parameter(data: Tensor, *_: Any) -> Tensor:
    return data
