"""A process that was forked off one that has read reads as well."""

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from janusdna.checkpoint import Checkpoint, save
from janusdna.nn.model import JanusDNA
from janusdna.ops.cpu import threads

FORKED = """
import multiprocessing, sys
import torch
import janusdna
from janusdna.ops.cpu.threads import set_threads

set_threads(2)
model = janusdna.load(sys.argv[1], device="cpu")
ids = torch.randint(7, 11, (4, 4096), generator=torch.Generator().manual_seed(0))

def read(more_threads):
    if more_threads:
        set_threads(2)
    return torch.get_num_threads(), model.read(ids).logits.numpy()

_, expected = read(False)
with multiprocessing.get_context("fork").Pool(1) as pool:
    for threads, found in pool.map(read, [False, True]):
        assert threads == 1, threads
        assert abs(found - expected).max() < 1e-5
"""


def test_a_forked_process_reads(make_network: Callable[..., JanusDNA], tmp_path: Path) -> None:
    """PyTorch's threads and the kernels' stay behind in the parent, and the child does not wait for them."""
    network = make_network()
    tensors = {name: parameter.detach() for name, parameter in network.named_parameters()}
    save(Checkpoint("small", network.config, tensors, ""), tmp_path)
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "forked process reads with one thread" in done.stderr


@pytest.mark.parametrize(("is_forked", "threads_then"), [(False, 2), (True, 1)])
def test_a_forked_process_has_one_thread(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_forked: bool, threads_then: int
) -> None:
    monkeypatch.setattr(threads, "_is_forked", is_forked)
    before = torch.get_num_threads()
    try:
        threads.set_threads(2)
        assert torch.get_num_threads() == threads_then
    finally:
        torch.set_num_threads(before)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * is_forked


def test_threads_are_joined_when_python_ends() -> None:
    """A daemon's thread that is inside PyTorch then ends the process by an abort."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        threads.side_by_side(*[lambda: threads.run_in_slices(lambda start, end: None, 8)] * 2)
        threads.run_in_slices(lambda start, end: None, 8)
    finally:
        torch.set_num_threads(before)
    own = [thread for thread in threading.enumerate() if thread.name.startswith("janusdna-")]
    assert {thread.name.rpartition("_")[0] for thread in own} >= {"janusdna-kernel", "janusdna-stream"}
    assert not any(thread.daemon for thread in own)
