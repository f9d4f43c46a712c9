"""`OUTPUT.parts`: what of a run is done, until its output has its name.

run.json        what the run was started with: without it the folder holds no run
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
from janusdna_cli.outputs.destinations import named_beside, reported
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
        """The one of an output; of one that a link leads to, beside the file itself."""
        place = Path(output)
        return cls(named_beside(place.resolve() if place.is_symlink() else place, after=_SUFFIX))

    @property
    def exists(self) -> bool:
        """Whether a run was started and not finished."""
        return (self.path / _FACTS).exists()

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
        with self._locked():
            goes_on = self.exists and not overwrite
            if goes_on:
                self._check_going_on(facts, resume=resume)
            try:
                if not goes_on:
                    self._begin(facts)
                yield self
                self._remove()
            except BaseException as error:
                self._leave(error)
                raise

    def clear(self) -> None:
        """Remove what a run left that was killed when its output had its name."""
        if self.path.exists():
            with self._locked():
                self._remove()

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

    @contextmanager
    def _locked(self) -> Iterator[None]:
        is_ours = False
        try:
            with reported(str(self.path)):
                self.path.mkdir(exist_ok=True)
                lock = (self.path / _LOCK).open("ab")
                is_ours = True
            with lock:
                is_ours = _is_taken(lock)
                if not is_ours:
                    raise InputError(f"{self.path}: another run works on it; wait for its end")
                yield
        finally:
            # Also where a signal came before there was a run. Now nothing is open, which NFS would keep.
            if is_ours and not self.exists:
                shutil.rmtree(self.path, ignore_errors=True)
            with suppress(OSError):
                self.path.rmdir()

    def _check_going_on(self, facts: Mapping[str, Any], *, resume: bool) -> None:
        if not resume:
            raise InputError(
                f"{self.path}: an unfinished run is there; pass --resume to go on with it, or --overwrite "
                "to start anew"
            )
        check_same(
            self.read_facts()["identity"], facts["identity"], place=str(self.path),
            fix="pass the same again, or --overwrite to start anew",
        )  # fmt: skip

    def _begin(self, facts: Mapping[str, Any]) -> None:
        """Forget what an earlier run did, first that it is one; `run.json` is there whole, or not at all."""
        with reported(str(self.path)):
            for path in sorted(self.path.iterdir(), key=lambda path: path.name != _FACTS):
                if path.name != _LOCK:
                    path.unlink()
            aside = self.path / f".{_FACTS}"
            with aside.open("xb") as file:
                file.write(json.dumps(facts, indent=2).encode())
                file.flush()
                os.fsync(file.fileno())
            aside.rename(self.path / _FACTS)

    def _leave(self, error: BaseException) -> None:
        if self.exists and any(path.stat().st_size for path in self.path.glob("*.journal")):
            error.add_note(f"what is done is kept in {self.path}: go on with --resume")
            return
        with suppress(InputError):
            self._remove()

    def _remove(self) -> None:
        with reported(str(self.path)):
            (self.path / _FACTS).unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)  # NFS keeps what is open; it is no run any more


def _is_taken(lock: Any) -> bool:
    """Take a lock; False where another process has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
