"""Where the INFO of a VCF or BCF comes from, as one line of its header.

    ##janusdna=<ID=run-1,Version="0.1.0",Command="janusdna score-variants ...",...,JSON="{...}">

The first keys are for people. `JSON` is all that Parquet keeps under `janusdna`, in ASCII.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from janusdna_cli.outputs.parquet import as_json
from janusdna_cli.records.header import quoted, structured, unquoted

__all__ = ["provenance_line", "provenances"]

_KEY = b"##janusdna=<"
_RUN = re.compile(rb"##janusdna=<ID=run-(\d+)[,>]")


def provenance_line(metadata: Mapping[str, Any], header: Iterable[bytes]) -> bytes:
    """The line of a run, without an end.

    Args:
        metadata: What Parquet keeps.
        header: The lines that it comes after; those of earlier runs have other IDs.
    """
    known = json.loads(as_json(metadata))
    told = {
        "Version": known.get("version"),
        "Command": shlex.join(known.get("command", [])),
        "Model": known.get("model", {}).get("name"),
        "Reference": known.get("reference"),
        "Window": known.get("window"),
        "JSON": json.dumps(known),
    }
    pairs = "".join(f",{key}={quoted(str(value))}" for key, value in told.items() if value)
    runs = [int(found[1]) for line in header if (found := _RUN.match(line))]
    line = f"##janusdna=<ID=run-{max(runs, default=0) + 1}{pairs}>"
    return " ".join(line.splitlines()).encode()


def provenances(header: Iterable[bytes]) -> list[dict[str, Any]]:
    """The metadata of each run that the header tells of, the last run's last.

    Args:
        header: Lines, also such that bcftools has written.
    """
    values = (structured(line).get(b"JSON", b"") for line in header if line.startswith(_KEY))
    return [found for value in values if isinstance(found := _parsed(value), dict)]


def _parsed(value: bytes) -> Any:
    try:
        return json.loads(unquoted(value.decode()))
    except ValueError:
        return None
