"""A map as NumPy's `.npy` or `.npz`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from janusdna_cli.dependencies.dependency_map import DependencyMap
from janusdna_cli.errors import InputError
from janusdna_cli.outputs.destinations import check_destination, reported, written_aside
from janusdna_cli.outputs.npz import write_npz

__all__ = ["check_matrix", "write_matrix"]

_SUFFIXES = (".npy", ".npz")


def check_matrix(destination: str, *, overwrite: bool) -> None:
    """Refuses, before any work, an array that could not be written at the end of it.

    Raises:
        InputError: Its suffix names no format, or as `check_destination`.
    """
    suffix = Path(destination).suffix
    if suffix.lower() not in _SUFFIXES:
        raise InputError(f"{destination}: the suffix {suffix or '(none)'} names no array; use .npy or .npz")
    check_destination(destination, overwrite=overwrite)


def write_matrix(
    found: DependencyMap, destination: str, metadata: Mapping[str, object], *, overwrite: bool
) -> None:
    """Write the map as an array; an archive also has each allele's map, the bases, and where it comes from.

    Raises:
        InputError: It cannot be written.
    """
    with (
        written_aside(destination, overwrite=overwrite) as path,
        reported(destination),
        path.open("wb") as file,
    ):
        if Path(destination).suffix.lower() == ".npy":
            np.save(file, found.matrix)
            return
        is_base = found.codes >= 0
        arrays: dict[str, npt.NDArray[Any]] = {
            "dependency": found.matrix,
            "by_allele": found.by_allele,
            "pos": found.positions,
            "ref": np.where(is_base, np.array([*"ACGT"])[found.codes], "N"),
            "status": np.where(is_base, "ok", "non_acgt"),
        }
        write_npz(file, arrays, metadata)
