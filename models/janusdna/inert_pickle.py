"""Opens a PyTorch checkpoint without running it.

A checkpoint is a pickle from the internet, and a pickle may name any function to call. Here nothing
is looked up by name: tensors are rebuilt by this file's own code, and every other class or function
becomes an inert placeholder that ignores what it is given. Nor does it grow: what is read and what tensors
are made of it stays within a few times the file's size.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable, Iterable
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
_DICTS = {("collections", "OrderedDict"), ("builtins", "dict"), ("__builtin__", "dict")}

# A file's tensors come to its size, and to more where several share their numbers.
_MOST_SHARING = 4


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


class _Dict(dict[Any, Any]):
    """Any dict of a pickle; to hash tuples of tuples, each named twice in the next, could take for ever."""

    def __init__(self, items: Iterable[tuple[Any, Any]] = ()) -> None:
        super().__init__()
        for key, value in items:
            self[key] = value

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, tuple) and any(isinstance(part, tuple) for part in key):
            raise CheckpointError("a dict's key is a tuple of tuples")
        super().__setitem__(key, value)


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
    size, unpacked = path.stat().st_size, sum(member.file_size for member in archive.infolist())
    if unpacked > size:
        raise CheckpointError(
            f"{path}: a zip file of {size:,} bytes that unpacks to {unpacked:,}: PyTorch compresses nothing"
        )
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise CheckpointError(f"{path}: a zip file with {len(pickles)} data.pkl inside: expected one")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
        raise CheckpointError(f"{path}: big-endian tensors: convert on the machine that wrote them")
    unpickler = _InertUnpickler(io.BytesIO(archive.read(pickles[0])), archive, root, size)
    try:
        return unpickler.load()
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except zipfile.BadZipFile:
        raise
    # A hostile pickle can make the unpickler fail in any way it likes.
    except Exception as error:
        raise CheckpointError(f"{path}: not a readable pickle: {type(error).__name__}: {error}") from None


class _InertUnpickler(pickle._Unpickler):
    """The one in Python: the one in C makes room for as many objects as a pickle says it has."""

    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, stream: io.BytesIO, archive: zipfile.ZipFile, root: str, size: int) -> None:
        super().__init__(stream)
        self._archive = archive
        self._root = root
        self._storages: dict[str, Tensor] = {}
        self._room = _MOST_SHARING * size

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return self._rebuild_tensor
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _rebuild_parameter
        if module == "torch" and name in _STORAGE_DTYPES:
            return _STORAGE_DTYPES[name]
        if (module, name) in _DICTS:
            return _Dict
        return Inert

    def persistent_load(self, pid: Any) -> Tensor:
        kind, dtype, key, _location, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(key, str):
            raise CheckpointError("a storage of unknown kind")
        if key not in self._storages:
            self._storages[key] = self._read_storage(key, dtype)
        storage = self._storages[key]
        if (storage.dtype, len(storage)) != (dtype, count):
            raise CheckpointError(
                f"storage {key} has {storage.nbytes} bytes: expected {count} elements of {dtype}"
            )
        return storage

    def _read_storage(self, key: str, dtype: torch.dtype) -> Tensor:
        try:
            data = self._archive.read(f"{self._root}data/{key}")
        except KeyError:
            raise CheckpointError(f"storage {key} is missing") from None
        if len(data) % dtype.itemsize:
            raise CheckpointError(f"storage {key} has {len(data)} bytes: expected elements of {dtype}")
        return torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)

    def _rebuild_tensor(
        self, storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
    ) -> Tensor:
        view = storage.as_strided(size, stride, offset)
        self._room -= view.numel() * view.element_size()
        if self._room < 0:
            raise CheckpointError("its tensors are many times larger than the file")
        return view.clone()

    def load_empty_dictionary(self) -> None:
        self.append(_Dict())

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append(_Dict(zip(items[::2], items[1::2], strict=True)))

    def load_set(self) -> None:
        self.append(Inert())

    def load_frozenset(self) -> None:
        self.pop_mark()
        self.append(Inert())

    dispatch = pickle._Unpickler.dispatch | {  # type: ignore[assignment]
        pickle.EMPTY_DICT[0]: load_empty_dictionary,
        pickle.DICT[0]: load_dict,
        pickle.EMPTY_SET[0]: load_set,
        pickle.FROZENSET[0]: load_frozenset,
    }


def _rebuild_parameter(data: Tensor, *_: Any) -> Tensor:
    return data
