"""AnnData's `.h5ad`: X is the embeddings, obs the other columns, `uns["janusdna"]` where it comes from.

Source: https://anndata.readthedocs.io/en/stable/fileformat-prose.html
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from janusdna_cli.outputs.gathered import Gathered
from janusdna_cli.outputs.parquet import METADATA_KEY, as_json

__all__ = ["H5adSink"]


class H5adSink:
    """Takes tables of one schema, and writes them at the end."""

    def __init__(self, path: Path, schema: Any, destination: str) -> None:
        self._path = path
        self._gathered = Gathered(schema, destination)

    def write(self, table: Any) -> None:
        """Takes some rows."""
        self._gathered.write(table)

    def close(self, metadata: Mapping[str, object]) -> None:
        """Writes the file.

        Raises:
            OSError: It cannot be written.
        """
        from anndata import AnnData

        rows, values = self._gathered.shape
        table = AnnData(
            X=self._matrix(),
            obs=pd.DataFrame(
                {name: self._column(name) for name in self._gathered.columns}, index=_numbers(rows)
            ),
            var=pd.DataFrame(index=_numbers(values)),
            uns={METADATA_KEY: as_json(metadata).decode()},
        )
        try:
            table.write_h5ad(self._path)
        except (OSError, RuntimeError) as error:
            raise _of_the_system(error) from error

    def abandon(self) -> None:
        """Lets go of it incomplete."""

    def _matrix(self) -> Any:
        matrix = np.empty(self._gathered.shape, self._gathered.dtype)
        at = 0
        for part in self._gathered.embeddings():
            matrix[at : at + len(part)] = part
            at += len(part)
        return matrix

    def _column(self, name: str) -> Any:
        """Strings as categories; numbers that may be missing as pandas' own, which know it."""
        column = self._gathered.column(name)
        if name not in self._gathered.widths:
            if not self._gathered.schema.field(name).nullable:
                return column.to_numpy()
            return column.to_pandas(types_mapper={column.type: pd.Int64Dtype()}.get).array
        encoded = column.dictionary_encode()
        categories = pd.Index(encoded.dictionary.to_pylist(), dtype=object)
        return pd.Categorical.from_codes(encoded.indices.fill_null(-1).to_numpy(), categories)


def _numbers(count: int) -> Any:
    """Names of rows or columns, which AnnData wants to be strings and unique."""
    return pd.Index([str(i) for i in range(count)], dtype=object)


def _of_the_system(error: BaseException) -> BaseException:
    """What the system said: of a full disk HDF5 makes an error of its own, pages long."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.errno is not None:
            return OSError(found.errno, os.strerror(found.errno))
        found = found.__context__
    return error
