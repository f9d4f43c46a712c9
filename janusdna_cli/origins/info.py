"""The task: a path to what made it, told by content."""

from pathlib import Path

from janusdna_cli.errors import InputError
from janusdna_cli.genome.streams import BYTE_ORDER_MARK, InputStream, excerpt, open_file
from janusdna_cli.origins import arrays, tables
from janusdna_cli.origins.annotated import origin_of_annotated
from janusdna_cli.origins.backgrounds import is_background, origin_of_background
from janusdna_cli.origins.label_runs import origin_of_label_run
from janusdna_cli.origins.models import origin_of_model
from janusdna_cli.origins.origin import Origin
from janusdna_cli.origins.pretraining_runs import origin_of_pretraining_run
from janusdna_cli.origins.training_runs import holds_training_run, learns_labels
from janusdna_cli.origins.unfinished_runs import holds_unfinished_run, origin_of_unfinished_run
from janusdna_cli.records.bcf import MAGIC

__all__ = ["origin_of"]

# What a folder is known by: these stand for it.
_OF_FOLDERS = ("config.json", "metrics.jsonl", "model.safetensors", "run.json")
_OF_MODELS = ("config.json", "last.ckpt")
# A checkpoint is a zip archive, or in old ones a bare pickle.
_CHECKPOINTS = (b"PK\x03\x04", b"\x80")
_RECORDS = (MAGIC, b"##fileformat=VCF", BYTE_ORDER_MARK + b"##fileformat=VCF")
_HEAD = 16
_LINE = 4096
# How the tables of variants, of regions and of dependencies begin, those of a part of the work as well.
_TSV = tuple(
    part + columns
    for part in (b"", b"row\t")
    for columns in (b"chrom\tpos\tid\tref\talt\t", b"chrom\tstart\tend\tname\t", b"chrom\ti\tj\tref\t")
)


def origin_of(path: str) -> Origin:
    """What made a file or a folder, or what a model is that is called so.

    Args:
        path: A Parquet file or a folder of them, a VCF or BCF that janusdna annotated ("-" for stdin), a
            background of percentiles, a model's name or path, the folder of a training run, of a probe or of
            an unfinished run.

    Raises:
        JanusDNAError: It cannot be read, or janusdna did not make it.
    """
    place = Path(path)
    if path != "-" and not place.exists():
        return origin_of_model(path)
    if place.is_dir():
        return _origin_of_folder(path)
    if place.name in _OF_FOLDERS:
        return _origin_of_folder(str(place.parent))
    return _origin_of_file(path)


def _origin_of_folder(path: str) -> Origin:
    folder = Path(path)
    if holds_unfinished_run(folder):
        return origin_of_unfinished_run(folder)
    if holds_training_run(folder):
        return origin_of_label_run(folder) if learns_labels(folder) else origin_of_pretraining_run(folder)
    if any((folder / name).is_file() for name in _OF_MODELS):
        return origin_of_model(path)
    if files := tables.parquet_files(folder):
        return tables.origin_of_tables(path, files)
    raise InputError(
        f"{path}: found no table in Parquet, no model and no run in it, expected what janusdna wrote"
    )


def _origin_of_file(path: str) -> Origin:
    head = _head(path)
    if head.startswith(tables.MAGIC):
        return tables.origin_of_tables(path, [Path(path)])
    if head.startswith(arrays.HDF5):
        return arrays.origin_of_h5ad(Path(path))
    if head.startswith(_CHECKPOINTS):
        return arrays.origin_of_npz(Path(path)) if arrays.is_npz(Path(path)) else origin_of_model(path)
    with InputStream(path) as stream:
        start = stream.peek(_LINE)
        if start.startswith(_RECORDS):
            return origin_of_annotated(path, stream)
        if is_background(start):
            return origin_of_background(path)
        if start.startswith(_TSV):
            raise InputError(
                f"{stream.name}: is TSV, which has no place for what made it; where that matters, write "
                "Parquet, VCF or BCF"
            )
        line = excerpt(start.partition(b"\n")[0])
        raise InputError(
            f"{stream.name}: janusdna did not make this: found {line}, expected a table in Parquet, an "
            "annotated VCF or BCF, a model or the folder of a run"
        )


def _head(path: str) -> bytes:
    """The first bytes of a file as it is; none of a pipe, which gives them once."""
    if not Path(path).is_file():
        return b""
    with open_file(path) as file:
        return file.peek(_HEAD)[:_HEAD]
