"""Where something comes from, for a person and for a program."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from janusdna_cli.runtime.facts import as_lines

__all__ = ["Origin"]


@dataclass(frozen=True)
class Origin:
    """What made a file or a folder.

    Attributes:
        facts: For a person: topic to fact.
        record: For a program: JSON values, as docs/formats.md tells them.
    """

    facts: Mapping[str, object]
    record: Mapping[str, Any]

    def as_text(self) -> str:
        """A fact a line."""
        return as_lines(self.facts)

    def as_json(self) -> str:
        """One JSON object, in ASCII: names of files need not be UTF-8."""
        return json.dumps(self.record, indent=2)
