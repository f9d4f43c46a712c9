"""What is read of `metrics.jsonl`, and what is said when it cannot be."""

import json
import logging
import math

import numpy as np
import pytest

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.training.metrics import METRICS_FILE, TRAINING_FIELDS, VALIDATION_FIELDS, read_metrics
from janusdna_cli.training.metrics_log import MetricsLog

STEP_1 = (
    '{"step": 1, "loss": 1.39, "bits_per_base": 1.98, "accuracy": 0.27, "aux_loss": 0.81, "lr": 0.0008, '
    '"gradient_norm": 0.7, "tokens": 4096, "tokens_per_second": 15321.0, "expert_share_min": 0.03, '
    '"expert_share_max": 0.11}'
)
VALIDATION_1 = (
    '{"step": 1, "valid_loss": 1.31, "valid_bits_per_base": 1.89, "valid_accuracy": 0.31, '
    '"valid_windows": 512, "valid_expert_usage": '
    '{"forward": [[0.5, 0.5], [0.25, 0.75]], "backward": [[1, 0], [0, 1]]}}'
)


@pytest.fixture
def run(tmp_path):
    def write(*lines, end="\n"):
        (tmp_path / METRICS_FILE).write_text("\n".join(lines) + end)
        return tmp_path

    return write


def bits(*values):
    return [f'{{"step": {step}, "bits_per_base": {value}}}' for step, value in values]


def test_a_step_and_a_validation(run):
    metrics = read_metrics(run(STEP_1, VALIDATION_1))
    assert metrics.training.steps.tolist() == [1]
    assert {field: values.tolist() for field, values in metrics.training.values.items()} == {
        "loss": [1.39],
        "bits_per_base": [1.98],
        "accuracy": [0.27],
        "aux_loss": [0.81],
        "lr": [0.0008],
        "gradient_norm": [0.7],
        "tokens": [4096.0],
        "tokens_per_second": [15321.0],
        "expert_share_min": [0.03],
        "expert_share_max": [0.11],
    }
    assert metrics.validation.steps.tolist() == [1]
    assert {field: values.tolist() for field, values in metrics.validation.values.items()} == {
        "valid_loss": [1.31],
        "valid_bits_per_base": [1.89],
        "valid_accuracy": [0.31],
        "valid_windows": [512.0],
    }
    assert metrics.usage.step == 1
    shares = {stream: table.tolist() for stream, table in metrics.usage.shares.items()}
    assert shares == {"forward": [[0.5, 0.5], [0.25, 0.75]], "backward": [[1, 0], [0, 1]]}


def test_what_was_not_measured_is_nan(run):
    metrics = read_metrics(run('{"step": 7, "lr": 0.5, "aux_loss": null, "of_another_version": "x"}'))
    assert (metrics.training.steps.tolist(), metrics.training.values["lr"].tolist()) == ([7], [0.5])
    assert all(np.isnan(metrics.training.values[field]) for field in TRAINING_FIELDS if field != "lr")
    assert (len(metrics.validation), metrics.usage) == (0, None)
    assert [len(metrics.validation.values[field]) for field in VALIDATION_FIELDS] == [0] * 4


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "1" + 400 * "0"])
def test_what_is_not_finite_is_nan(run, value):
    found = read_metrics(run(*bits((1, 1.5), (2, value), (3, 2)))).training.values["bits_per_base"].tolist()
    assert (found[0], math.isnan(found[1]), found[2]) == (1.5, True, 2.0)


def test_after_a_resume_the_later_line_of_a_step_counts(run):
    lines = bits((1, 1.1), (2, 1.2), (3, 1.3), (4, 1.4), (3, 2.3), (4, 2.4), (5, 2.5))
    training = read_metrics(run(*lines)).training
    assert training.steps.tolist() == [1, 2, 3, 4, 5]
    assert training.values["bits_per_base"].tolist() == [1.1, 1.2, 2.3, 2.4, 2.5]


def test_the_usage_is_that_of_the_last_step(run):
    def usage(step, share):
        return json.dumps({"step": step, "valid_loss": 1, "valid_expert_usage": {"forward": [[share]]}})

    found = read_metrics(
        run(usage(10, 0.1), usage(20, 0.2), usage(20, 0.3), usage(10, 0.4), *bits((1, 2)))
    ).usage
    assert (found.step, found.shares["forward"].tolist()) == (20, [[0.3]])


@pytest.mark.parametrize("tail", ['{"step": 3, "bits_per_ba', "{", '{"step": 3, "note": "\udce2'])
def test_a_half_written_last_line_is_left_out_with_a_note(run, tail, caplog):
    folder = run(*bits((1, 1.1), (2, 1.2)))
    with (folder / METRICS_FILE).open("ab") as file:
        file.write(tail.encode(errors="surrogateescape"))
    with caplog.at_level(logging.INFO, "janusdna_cli"):
        assert read_metrics(folder).training.steps.tolist() == [1, 2]
    assert caplog.messages == [f"{folder / METRICS_FILE}: line 3 is half-written and left out"]


def test_a_last_line_without_a_line_feed_is_whole(run, caplog):
    assert read_metrics(run(*bits((1, 1.1), (2, 1.2)), end="")).training.steps.tolist() == [1, 2]
    assert caplog.messages == []


def test_empty_lines_are_nothing(run):
    assert read_metrics(run("", *bits((1, 1.1)), "  ", *bits((2, 1.2)), "")).training.steps.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"step": 2, "lr": "fast"}', 'found lr "fast", expected a number'),
        ('{"step": 2, "valid_loss": [1]}', "found valid_loss [1], expected a number"),
        (
            '{"step": 2, "valid_expert_usage": 3}',
            "found valid_expert_usage 3, expected shares for each stream",
        ),
        (
            '{"step": 2, "valid_expert_usage": {"forward": [[1], [1, 2]]}}',
            "found valid_expert_usage of forward [[1], [1, 2]], expected for each layer as many shares",
        ),
        (
            '{"step": 2, "valid_expert_usage": {"forward": [["a"]]}}',
            'found valid_expert_usage of forward "a", expected a number',
        ),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_named(run, line, problem):
    folder = run(*bits((1, 1.1)), line, *bits((3, 1.3)))
    with pytest.raises(RecordError) as raised:
        read_metrics(folder)
    assert str(raised.value) == f"{folder / METRICS_FILE}: line 2: {problem}"


DAMAGED = [
    b'{"step": 2, "lo',
    b'{"step": 2, "lo{"step": 3, "bits_per_base": 1.3}',
    300 * b"\0",
    300 * b"\0" + b'{"step": 2, "bits_per_base": 1.2}',
    b"\xff\xfe",
    b"[1, 2]",
    10_000 * b"[",
    b'{"loss": 1}',
    b'{"step": 1.5}',
    b'{"step": -1}',
    b'{"step": true}',
]


def with_damage(run, *lines: bytes, end: bytes = b"\n"):
    folder = run(*bits((1, 1.1)))
    with (folder / METRICS_FILE).open("ab") as file:
        file.write(b"\n".join([*lines, *(line.encode() for line in bits((8, 1.8)))]) + end)
    return folder


@pytest.mark.parametrize("line", DAMAGED)
def test_a_damaged_line_is_left_out_with_a_warning(run, line, caplog):
    folder = with_damage(run, line)
    assert read_metrics(folder).training.steps.tolist() == [1, 8]
    assert caplog.messages == [f"{folder / METRICS_FILE}: line 2 cannot be read and is left out"]


def test_many_damaged_lines_are_one_warning(run, caplog):
    folder = with_damage(run, *DAMAGED)
    assert read_metrics(folder).training.steps.tolist() == [1, 8]
    assert caplog.messages == [f"{folder / METRICS_FILE}: line 2 and 10 more cannot be read and are left out"]


@pytest.mark.parametrize("end", [b"\n", b"", b'\n{"step": 9, "bits', b"\n" + 4096 * b"\0"])
def test_a_resumption_drops_what_is_damaged_and_what_comes_later(run, end):
    folder = with_damage(run, *DAMAGED, b'{"step": 7, "bits_per_base": 1.7}', end=end)
    for step, kept in ((8, [1, 7, 8]), (7, [1, 7]), (0, [])):
        with MetricsLog(folder, step) as log:
            log.write({"step": step + 1, "bits_per_base": 1.0})
        text = (folder / METRICS_FILE).read_text()
        assert [json.loads(line)["step"] for line in text.splitlines()] == [*kept, step + 1]
        assert text.endswith("}\n")


def test_no_run(tmp_path):
    def said(folder):
        with pytest.raises(InputError) as raised:
            read_metrics(folder)
        return str(raised.value)

    told = "pass the folder that `janusdna pretrain` writes, or a table of scores"
    assert said(tmp_path / "nowhere") == f"{tmp_path / 'nowhere'}: there is no such folder; {told}"
    assert said(tmp_path) == f"{tmp_path}: found no metrics.jsonl in it; {told}"
    file = tmp_path / METRICS_FILE
    for text in ("", "\n", '{"step": 1, "lo', '{"step": 1, "other": 2}\n'):
        file.write_text(text)
        assert said(tmp_path).startswith(f"{file}: found no step, expected a line a step; ")
    assert said(file) == f"{file}: is not a folder; {told}"
