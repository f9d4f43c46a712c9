"""Where a run's table goes, and whether what is done of it can be kept until it is whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from janusdna_cli.errors import InputError
from janusdna_cli.outputs.destinations import check_destination, is_file, reported
from janusdna_cli.outputs.formats import Format, is_folder_name, table_format
from janusdna_cli.outputs.names import default_output
from janusdna_cli.reading.survey import is_seekable
from janusdna_cli.runs.settings import RunSettings
from janusdna_cli.runs.shards import Shard

__all__ = ["Target"]


@dataclass(frozen=True)
class Target:
    """Where a run's table goes.

    Attributes:
        path: A file, or "-".
        form: Its format.
        is_kept: Whether what is done is kept beside it until the table is whole.
        shard: Which part of the work it is; None for all.
        is_split: Whether it is a folder in which each process of the run writes a part of the table.
    """

    path: str
    form: Format
    is_kept: bool
    shard: Shard | None = None
    is_split: bool = False

    @classmethod
    def of(cls, settings: RunSettings, source: str, processes: int = 1) -> Self:
        """The one that settings mean, checked before any work.

        Args:
            settings: Of the run.
            source: The input whose rows it is.
            processes: How many share the run, by `torchrun`.

        Raises:
            InputError: It could not be written at the end; a stream cannot be resumed or shared out.
        """
        if isinstance(settings.shard, Shard):
            return cls._part(settings, settings.shard, source)
        path = settings.output or default_output(source)
        if processes > 1 and is_folder_name(path, settings.format):
            _check_seekable(source, f"{processes} processes")
            _make_folder(path)
            return cls(path, Format.parquet, True, is_split=True)
        form = table_format(path, settings.format, formats=settings.formats)
        overwrite = settings.overwrite or settings.resume
        check_destination(path, overwrite=overwrite, folder=form is Format.parquet_folder)
        if streamed := _streamed(source, path):
            _check_streamed(settings, streamed, processes)
        return cls(path, form, not streamed)

    @classmethod
    def _part(cls, settings: RunSettings, shard: Shard, source: str) -> Self:
        _check_seekable(source, "--shard")
        if settings.output is None or not is_file(settings.output) or Path(settings.output).is_file():
            found = settings.output or "no output"
            raise InputError(f"--shard: found {found}, expected -o with a folder for the parts")
        if settings.format not in (None, Format.parquet):
            raise InputError(
                f"--format {settings.format}: a part is Parquet; `janusdna merge` writes any format"
            )
        _make_folder(settings.output)
        target = cls(settings.output, Format.parquet, True).part(shard)
        check_destination(target.path, overwrite=settings.overwrite or settings.resume)
        return target

    def part(self, shard: Shard) -> Self:
        """Where one of the processes writes its part."""
        return replace(self, path=str(Path(self.path) / shard.file_name), shard=shard)


def _check_seekable(source: str, asked: str) -> None:
    if not is_seekable(source):
        raise InputError(f"{asked}: standard input or a pipe cannot be shared out; name a file to read")


def _make_folder(path: str) -> None:
    with reported(path):
        Path(path).mkdir(exist_ok=True)


def _check_streamed(settings: RunSettings, streamed: str, processes: int) -> None:
    asked = {
        "--resume": settings.resume,
        f"--workers {settings.workers}": settings.workers not in (1, "auto"),
        f"{processes} processes": processes > 1,
    }
    if options := [option for option, is_asked in asked.items() if is_asked]:
        raise InputError(
            f"{options[0]}: {streamed} can be neither resumed nor shared out; name files to read and to write"
        )


def _streamed(source: str, path: str) -> str | None:
    """What keeps a run from being kept, if anything."""
    if not is_seekable(source):
        return "standard input" if source == "-" else f"the pipe {source}"
    if not is_file(path):
        return "standard output" if path == "-" else f"the pipe {path}"
    return None
