"""`janusdna doctor`."""

import os
import platform

import torch

import janusdna
from janusdna_cli.runtime import doctor as machine
from janusdna_cli.runtime.limits import usable_processors


def facts(text):
    return {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in text.splitlines()}


def test_doctor_says_what_is_here(work):
    result = work.run("doctor", "--device", "cpu")
    assert (result.exit_code, result.stderr) == (0, "")
    found = facts(result.stdout)
    assert found["janusdna"] == janusdna.__version__
    assert found["Python"].startswith(platform.python_version())
    assert found["PyTorch"] == torch.__version__
    assert found["device"].startswith("cpu: ")
    assert found["dtype"] == "float32"
    threads = min(torch.get_num_threads(), usable_processors())
    assert found["CPU threads"] == f"{threads} of {os.cpu_count()}"
    assert "hidden size 32" in found["largest window"]  # of the bundled model


def test_doctor_names_the_kernels_that_a_model_gets_and_why(work):
    found = facts(work.run("doctor", "--device", "cpu", "--model", work.model).stdout)
    model = janusdna.load(work.model, device="cpu")
    info = model.info
    for operation, kernel in info.kernels.items():
        assert found[f"{operation} kernel"] == f"{kernel}: {info.kernel_reasons[operation]}"
    assert f"hidden size {model.config.hidden_size}" in found["largest window"]


def test_the_largest_window_follows_the_memory(work, monkeypatch):
    windows = []
    program = 800_000_000
    for free in (program - 1, program + (1 << 28), program + (1 << 29), 1 << 60):
        monkeypatch.setattr(machine, "free_memory", lambda device, free=free: free)
        text = facts(work.run("doctor", "--device", "cpu", "--model", work.model).stdout)["largest window"]
        windows.append(int(text.split()[1].replace(",", "")))
    assert windows[0] == 0
    assert 0 < windows[1] < windows[2] < windows[3] == 1_048_576
    assert windows[2] // 2 == windows[1]


def test_doctor_of_a_model_that_is_not_there(work):
    result = work.run("doctor", "--model", "nothing")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "nothing: no model of this name" in result.stderr
