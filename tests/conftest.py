"""What all tests share: the real data beside the repository, where it is there."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} with the reference's numbers and real genomes is not here")
    return SHARED
