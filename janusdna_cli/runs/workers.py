"""Processes of one machine that share a run's work: each takes the next unit that nobody has.

The first of them counts, speaks, and writes the output. The others end when it does: with their journals
written where it asks them to (SIGTERM), at their next message where it is gone.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import threading
import traceback
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch

from janusdna.errors import JanusDNAError
from janusdna_cli.errors import InputError
from janusdna_cli.runs.folder import RunFolder
from janusdna_cli.runs.job import Job
from janusdna_cli.runs.work import Advance, Takes, work
from janusdna_cli.runtime.memory import bytes_to_read, free_memory
from janusdna_cli.runtime.ranks import Ranks
from janusdna_cli.runtime.signals import raise_on_signals
from janusdna_cli.runtime.threads import threads_of, use_threads

__all__ = ["prepare_workers", "work_beside", "worker_count"]

_PATIENCE_SECONDS = 60.0
_LOGGERS = ("janusdna", "janusdna_cli")

_log = logging.getLogger(__name__)

OpenJob = Callable[[], AbstractContextManager[Job[Any]]]


def prepare_workers(module: str) -> None:
    """Start the process that workers are forked from: while the job is opened, it imports what they need.

    Args:
        module: That makes the job.
    """
    context = _context()
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload([module])
        forkserver.ensure_running()


def work_beside(
    job: Job[Any], folder: RunFolder, bases: float, units: Collection[int], count: int, advance: Advance
) -> None:
    """Do some units in this process and in others, each with its share of the threads.

    Args:
        job: The task.
        folder: Where what is done is kept.
        bases: Cost of a unit of work.
        units: Which.
        count: How many processes, this one among them.
        advance: Told what is done, as it is.

    Raises:
        InputError: If a worker fails or is killed.
    """
    context, lock = _context(), threading.Lock()
    claimed = context.Value("q", 0)
    own = frozenset(units)
    threads = threads_of(job.settings.threads)
    each = max(1, threads // count)
    task = (job.again(each), folder.path, bases, own, claimed)

    def told(rows: int, windows: int, bases: int) -> None:
        with lock:
            advance(rows, windows, bases)

    use_threads(each)
    try:
        with ThreadPoolExecutor(1, "workers") as ear, _running(context, task, count - 1) as workers:
            heard = ear.submit(_listen, workers, told)
            work(job, folder, bases, _unless_failed(heard, _claims(own, claimed)), told)
            heard.result()
    finally:
        use_threads(threads)


def _unless_failed(heard: Future[None], takes: Takes) -> Takes:
    """The same, but that what a worker has raised is raised here: no unit is begun in vain."""

    def checked(unit: int) -> bool:
        if heard.done():
            heard.result()
        return takes(unit)

    return checked


def _context() -> Any:
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


def worker_count(job: Job[Any], ranks: Ranks) -> int:
    """How many processes share this one's work.

    Raises:
        InputError: If several are asked for where one GPU or `torchrun` has the work.
    """
    asked = job.settings.workers
    alone = "on a GPU one process does the work; several GPUs are shared by torchrun or --shard"
    if ranks.count > 1:
        alone = "torchrun has its processes share the work"
    if job.model.device.type != "cpu" or ranks.count > 1:
        if isinstance(asked, int) and asked > 1:
            raise InputError(f"--workers {asked}: {alone}; leave the option out")
        return 1
    if isinstance(asked, int):
        return asked
    fitting = free_memory(job.model.device) // bytes_to_read(job.model.config, job.window)
    return max(1, min(threads_of(job.settings.threads), fitting))


@contextmanager
def _running(context: Any, task: tuple[Any, ...], count: int) -> Iterator[dict[Connection, Any]]:
    """Workers by the connection that they speak on; none is left when this is."""
    workers: dict[Connection, Any] = {}
    try:
        for _ in range(count):
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=_worker, args=(there, *task), daemon=True)
            process.start()
            there.close()
            workers[here] = process
        yield workers
    finally:
        for process in workers.values():
            if process.is_alive():
                process.terminate()
        for process in workers.values():
            process.join(_PATIENCE_SECONDS)
            process.kill()


def _listen(workers: dict[Connection, Any], advance: Advance) -> None:
    """Until all have said that they are done."""
    open_connections = dict(workers)
    said: set[str] = set()
    while open_connections:
        for connection in wait(list(open_connections)):
            assert isinstance(connection, Connection)
            try:
                kind, *content = connection.recv()
            except EOFError:
                raise InputError(_died(open_connections[connection])) from None
            if kind == "advance":
                advance(*content)
            elif kind == "log" and content[1] not in said:
                said.add(content[1])
                _log.log(*content)
            elif kind == "error":
                raise content[0]
            elif kind == "done":
                del open_connections[connection]


def _died(process: Any) -> str:
    process.join(_PATIENCE_SECONDS)
    code = process.exitcode
    how = f"was killed by signal {-code}" if code and code < 0 else f"ended with code {code}"
    why = " (for want of memory?)" if code == -signal.SIGKILL else ""
    return f"a worker process {how}{why}; pass fewer --workers where memory is short"


def _worker(
    connection: Connection, open_job: OpenJob, folder: Path, bases: float, units: frozenset[int], claimed: Any
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's, who ends this process
    try:
        raise_on_signals()
        _tell_all(_Parent(connection), open_job, folder, bases, _claims(units, claimed))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # what comes now is no news
    except (KeyboardInterrupt, BrokenPipeError):  # asked to end, or nobody listens any more
        return


def _tell_all(parent: _Parent, open_job: OpenJob, folder: Path, bases: float, takes: Takes) -> None:
    """Work, and tell how it goes and how it ended."""
    try:
        logging.disable(logging.WARNING)  # the parent has said it
        with open_job() as job:
            _forward_logs(parent)
            work(job, RunFolder(folder), bases, takes, parent.advance)
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except BaseException as error:
        parent.tell("error", _portable(error))
    else:
        parent.tell("done")


class _Parent:
    """Who listens; several threads may speak.

    Args:
        connection: To it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def tell(self, kind: str, *content: Any) -> None:
        with self._lock:
            self._connection.send((kind, *content))

    def advance(self, rows: int, windows: int, bases: int) -> None:
        self.tell("advance", rows, windows, bases)


class _Forwarding(logging.Handler):
    """Log records become the parent's."""

    def __init__(self, parent: _Parent) -> None:
        super().__init__()
        self._parent = parent

    def emit(self, record: logging.LogRecord) -> None:
        self._parent.tell("log", record.levelno, record.getMessage())


def _claims(units: frozenset[int], claimed: Any) -> Takes:
    """Takes what no other worker has: all of them ask in ascending order."""

    def takes(unit: int) -> bool:
        if unit not in units:
            return False
        with claimed.get_lock():
            is_free = bool(claimed.value <= unit)
            claimed.value = max(claimed.value, unit + 1)
        return is_free

    return takes


def _forward_logs(parent: _Parent) -> None:
    logging.disable(logging.NOTSET)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(_Forwarding(parent))


def _portable(error: BaseException) -> Exception:
    """The same error for the parent."""
    if isinstance(error, JanusDNAError):
        return InputError(str(error))
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return MemoryError(str(error))
    shown = "".join(traceback.format_exception(error))
    raised = RuntimeError(f"in a worker: {type(error).__name__}: {error}")
    raised.__cause__ = RuntimeError(shown)
    return raised
