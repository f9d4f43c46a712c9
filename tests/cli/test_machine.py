"""`janusdna doctor`."""

import torch


def test_doctor_names_device_kernels_and_window(work):
    result = work.run("doctor", "--device", "cpu", "-m", work.model)
    assert (result.exit_code, result.stderr) == (0, "")
    for fact in (torch.__version__, "cpu:", "float32", "kernel", "largest window", "hidden size 16"):
        assert fact in result.stdout


def test_doctor_of_a_model_that_is_not_there(work):
    result = work.run("doctor", "-m", "nowhere")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
