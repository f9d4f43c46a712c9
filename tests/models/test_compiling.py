"""What the CPU's kernels are compiled to is kept, found again, and compiled anew where it cannot be."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import pytest
from numba.core.caching import IndexDataCacheFile

from janusdna.ops.cpu import compiling


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Places and warnings are looked for once a process."""
    known = compiling.kernel_folder, compiling._stamp, compiling._warn_once
    for each in known:
        each.cache_clear()
    yield
    for each in known:
        each.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    found = compiling.kernel_folder()
    assert found is not None
    assert found.parent == tmp_path
    return found


def fresh() -> Any:
    """A kernel as a new process has it."""

    def triple(x: float) -> float:
        return 3 * x

    return compiling.compiled(triple)


def hits(kernel: Any) -> int:
    """How often the machine code of `kernel` was found where it is kept."""
    assert kernel(2.0) == 6
    return sum(kernel.stats.cache_hits.values())


def test_machine_code_is_found_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert [hits(fresh()) for _ in range(3)] == [0, 1, 1]
    assert {path.suffix for path in folder.iterdir()} == {".nbi", ".nbc"}
    assert not caplog.records


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["empty", "cut", "zeros", "other", "gone"])
def test_damaged_files_are_compiled_anew(
    folder: Path, caplog: pytest.LogCaptureFixture, suffix: str, damage: str
) -> None:
    hits(fresh())
    [file] = folder.glob(f"*{suffix}")
    whole = file.read_bytes()
    half = len(whole) // 2
    if damage == "gone":
        file.unlink()
    else:
        zeros, other = bytes(len(whole) - half), bytes(255 - byte for byte in whole[half:])
        file.write_bytes(whole[:half] + {"zeros": zeros, "other": other}.get(damage, b""))
    if damage == "empty":
        file.write_bytes(b"")
    assert [hits(fresh()) for _ in range(2)] == [0, 1]
    said = [record.getMessage() for record in caplog.records]
    assert said == (
        [] if damage == "gone" else [f"compiled kernels in {folder} are damaged: they are compiled anew"]
    )


def test_a_byte_of_machine_code_that_changed(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Only the checksum tells: the pickle around it is sound."""
    hits(fresh())
    [file] = folder.glob("*.nbc")
    content = bytearray(file.read_bytes())
    content[content.index(b"\x7fELF") + 100] ^= 1
    file.write_bytes(content)
    assert hits(fresh()) == 0
    assert "are damaged" in caplog.text


def test_nowhere_to_keep_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(compiling, "_candidates", lambda: [tmp_path / "file" / "kernels"])
    assert [hits(fresh()) for _ in range(2)] == [0, 0]
    [record] = caplog.records
    assert "set XDG_CACHE_HOME or NUMBA_CACHE_DIR" in record.getMessage()


def test_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    assert [hits(fresh()) for _ in range(2)] == [0, 0]
    [record] = caplog.records
    assert record.getMessage() == f"compiled kernels cannot be kept in {folder}: No space left on device"


def test_the_user_chooses_then_the_package_then_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "chosen"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    chosen, package, cache = compiling._candidates()
    assert chosen.parent == tmp_path / "chosen"
    assert package == Path(compiling.__file__).parent / "__pycache__"
    assert cache == tmp_path / "cache" / "janusdna" / chosen.name


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_that_others_can_write_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    """They could put pickles there, which run what they say."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    planted = next(iter(compiling._candidates()))
    planted.mkdir()
    planted.chmod(mode)
    assert compiling.kernel_folder() != planted


def test_it_is_made_anew_when_any_file_of_the_kernels_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numba looks at a kernel's own file alone."""
    monkeypatch.setattr(compiling, "__file__", str(tmp_path / "compiling.py"))
    for name in ("scan.py", "math.py"):
        (tmp_path / name).write_text("before")
    before = compiling._stamp()
    (tmp_path / "math.py").write_text("after")
    compiling._stamp.cache_clear()
    assert compiling._stamp() != before
