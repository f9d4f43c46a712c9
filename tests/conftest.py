"""What all tests share: golden networks, and the real data beside the repository where it is there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .golden.cases import CASES, write_checkpoint

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


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
