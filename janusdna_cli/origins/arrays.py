"""Tables of embeddings as people load them: NumPy's `.npz` and AnnData's `.h5ad`."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from janusdna_cli.errors import InputError
from janusdna_cli.origins.origin import Origin
from janusdna_cli.origins.provenance import parse_provenance
from janusdna_cli.origins.row_count import STATUS, RowCount
from janusdna_cli.origins.tables import origin_of_table
from janusdna_cli.outputs.parquet import METADATA_KEY

__all__ = ["HDF5", "is_npz", "origin_of_h5ad", "origin_of_npz"]

HDF5 = b"\x89HDF\r\n\x1a\n"


def is_npz(path: Path) -> bool:
    """Whether a zip archive is one of arrays, and not a checkpoint."""
    try:
        with zipfile.ZipFile(path) as archive:
            return all(name.endswith(".npy") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def origin_of_npz(path: Path) -> Origin:
    """What made a `.npz`.

    Raises:
        InputError: janusdna did not, or it is damaged.
    """
    rows = RowCount()
    try:
        with np.load(path) as arrays:
            found = str(arrays[METADATA_KEY]) if METADATA_KEY in arrays else None
            provenance = parse_provenance(path, found)
            rows.add_column(pa.array(arrays[STATUS]))
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    return origin_of_table(str(path), "npz", "NumPy's .npz", [provenance], rows)


def origin_of_h5ad(path: Path) -> Origin:
    """What made a `.h5ad`.

    Raises:
        InputError: janusdna did not, it is damaged, or AnnData, which reads it, is not installed.
    """
    try:
        import h5py
    except ImportError:
        raise InputError(f"{path}: is HDF5; to read it: pip install 'janusdna[anndata]'") from None
    rows = RowCount()
    try:
        with h5py.File(path) as file:
            found = file.get(f"uns/{METADATA_KEY}")
            provenance = parse_provenance(path, None if found is None else found[()])
            rows.add_column(_strings(file[f"obs/{STATUS}"]))
    except (OSError, KeyError, ValueError) as error:
        raise _damaged(path, error) from error
    return origin_of_table(str(path), "h5ad", "AnnData's .h5ad", [provenance], rows)


def _strings(group: Any) -> Any:
    """A column of categories."""
    categories = [each.decode() for each in group["categories"][()]]
    return pa.DictionaryArray.from_arrays(pa.array(group["codes"][()]), pa.array(categories, pa.string()))


def _damaged(path: Path, error: Exception) -> InputError:
    reason = str(error).partition("\n")[0]
    return InputError(f"{path}: is damaged or cut off: {reason}; copy it again")
