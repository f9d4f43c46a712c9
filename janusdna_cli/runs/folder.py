"""`OUTPUT.parts`: what of a run is done, until its output has its name.

run.json        what the run was started with
lock            locked by whoever works on it
N.journal       entries of a process
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from janusdna.json_object import read_json
from janusdna_cli.errors import InputError
from janusdna_cli.outputs.destinations import reported
from janusdna_cli.runs.identity import check_same
from janusdna_cli.runs.journal import Entry, Journal, read_journal
from janusdna_cli.runs.rows import SortedRows

__all__ = ["RunFolder"]

_SUFFIX = ".parts"
_FACTS, _LOCK = "run.json", "lock"


class RunFolder:
    """The folder of an unfinished run.

    Args:
        path: Where it lies.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def beside(cls, output: str) -> Self:
        """The one of an output."""
        return cls(Path(f"{output.rstrip('/')}{_SUFFIX}"))

    @property
    def exists(self) -> bool:
        """Whether a run was started and not finished."""
        return self.path.exists()

    @contextmanager
    def opened(self, facts: Mapping[str, Any], *, resume: bool, overwrite: bool) -> Iterator[Self]:
        """Start a run, or go on with one; no other process does while this one is here.

        Where the block is left by an exception what is done stays, and a note to it says how to go on.

        Args:
            facts: What this run is started with.
            resume: Go on with one that is there.
            overwrite: Start anew where one is there.

        Raises:
            InputError: There is one, and neither is asked for; it was started with something else; another
                process works on it; it cannot be written.
        """
        if self.exists and not (resume or overwrite):
            raise InputError(
                f"{self.path}: an unfinished run is there; pass --resume to go on with it, or --overwrite "
                "to start anew"
            )
        with reported(str(self.path)):
            self.path.mkdir(exist_ok=True)
            lock = (self.path / _LOCK).open("ab")
        with lock:
            self._take(lock)
            if resume and (self.path / _FACTS).exists():
                check_same(
                    self.read_facts()["identity"], facts["identity"], place=str(self.path),
                    fix="pass the same again, or --overwrite to start anew",
                )  # fmt: skip
            else:
                self._begin(facts)
            try:
                yield self
            except BaseException as error:
                self._leave(error)
                raise
            with reported(str(self.path)):
                shutil.rmtree(self.path)

    def read_facts(self) -> dict[str, Any]:
        """What the run was started with, under "identity", and the command line that did."""
        return read_json(self.path / _FACTS)

    def journal(self) -> Journal:
        """A new journal for this process."""
        return Journal(self.path / f"{secrets.token_hex(8)}.journal")

    def entries(self) -> Iterator[tuple[Entry, SortedRows]]:
        """All entries of all journals."""
        for path in sorted(self.path.glob("*.journal")):
            yield from read_journal(path)

    def _take(self, lock: Any) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{self.path}: another run works on it; wait for its end") from None
        except OSError:  # a file system without locks
            return

    def _begin(self, facts: Mapping[str, Any]) -> None:
        """Forget what an earlier run did; `run.json` is there whole, or not at all."""
        with reported(str(self.path)):
            for path in self.path.iterdir():
                if path.name != _LOCK:
                    path.unlink()
            aside = self.path / f".{_FACTS}"
            with aside.open("xb") as file:
                file.write(json.dumps(facts, indent=2).encode())
                file.flush()
                os.fsync(file.fileno())
            aside.rename(self.path / _FACTS)

    def _leave(self, error: BaseException) -> None:
        if any(self.path.glob("*.journal")):
            error.add_note(f"what is done is kept in {self.path}: go on with --resume")
            return
        with suppress(OSError):
            shutil.rmtree(self.path)
