"""What all tests share: golden networks, and the real data beside the repository where it is there."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .golden.cases import CASES, write_checkpoint

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session", autouse=True)
def _signals_as_usual() -> Iterator[None]:
    """Whoever runs the tests may ignore signals (`nohup`, `make test &`); what they start inherits that."""
    usual = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
        signal.SIGPIPE: signal.SIG_IGN,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} with the reference's numbers and real genomes is not here")
    return SHARED


@pytest.fixture
def golden(tmp_path: Path) -> Callable[[str], Path]:
    """The checkpoint of a golden case, in files of its own."""
    by_name = {case.name: case for case in CASES}
    return lambda name: write_checkpoint(by_name[name], tmp_path / "golden" / name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: of processes that share the tests none should be alone with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Any:
    """Processes that share the tests send each other Unicode alone, and not every file has such a name."""
    return _printable((yield))


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {name: _printable(item) for name, item in value.items()}
    return type(value)(map(_printable, value)) if isinstance(value, list | tuple) else value
