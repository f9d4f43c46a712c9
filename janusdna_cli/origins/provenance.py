"""What outputs say of their origin (`reading/provenance.py`), told to a person."""

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from janusdna_cli.errors import InputError
from janusdna_cli.outputs.parquet import METADATA_KEY

__all__ = ["facts_of", "parse_provenance"]


def parse_provenance(path: Path, found: str | bytes | None) -> dict[str, Any]:
    """The JSON object that an output holds.

    Args:
        path: The output.
        found: What it holds; None where that is nothing.

    Raises:
        InputError: It is none, for janusdna did not write the file.
    """
    try:
        value = None if found is None else json.loads(found)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        what = "no metadata" if found is None else "no JSON object in the metadata"
        raise InputError(f"{path}: janusdna did not write it: found {what} under the key {METADATA_KEY!r}")
    return value


def facts_of(provenance: Mapping[str, Any], differing: frozenset[str] = frozenset()) -> dict[str, str]:
    """Facts of the JSON object that an output holds.

    Args:
        provenance: Whatever version wrote it: what is not known by name is told as it is.
        differing: Names of what other files of the same table say otherwise.
    """
    facts: dict[str, str] = {}
    for name, value in provenance.items():
        told = _TELLERS.get(name, _tell)(name, value)
        more = " (the others differ)" if name in differing else ""
        facts |= {topic: fact + more for topic, fact in told.items()}
    return facts


def _tell(name: str, value: Any) -> dict[str, str]:
    return {name.removeprefix("--").replace("_", " "): _text(value)}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value)


def _version(name: str, value: Any) -> dict[str, str]:
    return {"made by": f"janusdna {_text(value)}"}


def _command(name: str, value: Any) -> dict[str, str]:
    words = value if isinstance(value, list) else [value]
    return {"command": shlex.join(map(str, words))}


def _model(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return _tell(name, value)
    return {"model": _text(value.get("name")), "model's sha256": _text(value.get("sha256"))}


def _contigs(name: str, value: Any) -> dict[str, str]:
    if not value or not isinstance(value, Mapping):  # of none, or `contigs_md5` tells of them
        return {}
    unknown = sum(md5 is None for md5 in value.values())
    return {"contigs read": f"{len(value):,}" + (f", the md5 of {unknown:,} unknown" if unknown else "")}


def _all_contigs(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return _tell(name, value)
    return {"contigs read": f"{_text(value.get('contigs'))}, md5 of all of them {_text(value.get('md5'))}"}


def _run(name: str, value: Any) -> dict[str, str]:
    """Of what the run was started with only the input: the rest is told besides."""
    source = value.get("input") if isinstance(value, Mapping) else None
    return {"input": _text(source.get("name"))} if isinstance(source, Mapping) else {}


def _part(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return _tell(name, value)
    return {"part": f"{_text(value.get('index'))} of {_text(value.get('count'))}"}


_TELLERS: dict[str, Callable[[str, Any], dict[str, str]]] = {
    "version": _version,
    "command": _command,
    "model": _model,
    "contig_md5": _contigs,
    "contigs_md5": _all_contigs,
    "run": _run,
    "part": _part,
}
