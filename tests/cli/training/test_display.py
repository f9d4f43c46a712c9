"""What a run says while it goes."""

import io
import logging
import re
import sys

import pytest

from janusdna_cli.training import display
from janusdna_cli.training.display import format_duration, training_display

TEXT = "loss 1.2346, 1.7811 bits per base"
LINE = {
    "lr": 0.00312,
    "tokens_per_second": 15_321.0,
}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.6, "1 min 0 s"),
        (75, "1 min 15 s"),
        (3599.9, "1 h 0 min"),
        (11_520, "3 h 12 min"),
        (400_000, "4 d 15 h"),
    ],
)
def test_a_time_has_two_units(seconds, text):
    assert format_duration(seconds) == text


def test_lines_come_now_and_then_and_at_the_end(monkeypatch, caplog):
    now = [100.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    with caplog.at_level(logging.INFO), training_display(40, 10, quiet=False) as shown:
        for step in range(11, 41):
            now[0] += 7
            shown.step(LINE | {"step": step}, TEXT)
    said = [record.getMessage() for record in caplog.records]
    assert [re.match(rf"step (\d+)/40: {TEXT}, ", line)[1] for line in said] == [
        *("11", "16", "21", "26", "31", "36", "40")
    ]
    assert said[1].endswith("bits per base, lr 0.0031, 15.3 kb/s, 2 min 48 s left")
    assert said[-1].endswith("0 s left")


def test_a_terminal_shows_a_bar_and_the_numbers(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with training_display(40, 0, quiet=False) as shown:
        shown.step(LINE | {"step": 3}, TEXT)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert "3/40 steps" in text
    assert f"{TEXT}, lr 0.0031, 15.3 kb/s" in text


def test_quiet_says_nothing_on_a_terminal(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    with training_display(40, 0, quiet=True) as shown:
        shown.step(LINE | {"step": 3}, TEXT)
    assert terminal.getvalue() == ""
