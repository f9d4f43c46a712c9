import io
import logging
import os
import sys
import warnings

import pytest

from janusdna_cli.runtime.progress import (
    configure_logging,
    download_progress,
    format_bases,
    format_summary,
    progress,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Called in the test itself: pytest puts its own stderr in place after the fixtures have run."""

    def replace():
        stream = Terminal()
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    return replace


@pytest.fixture
def logs():
    """Puts back what `configure_logging` changes for the whole process."""
    root, format_warning = logging.getLogger(), warnings.formatwarning
    handlers = list(root.handlers)
    with warnings.catch_warnings():
        yield
    logging.captureWarnings(False)
    warnings.formatwarning = format_warning
    root.handlers[:] = handlers
    for name in ("janusdna", "janusdna_cli"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    ("bases", "expected"),
    [(0, "0 bp"), (999, "999 bp"), (1_000, "1 kb"), (999_600, "1 Mb"), (59_400_000, "59.4 Mb")],
)
def test_bases(bases, expected):
    assert format_bases(bases) == expected


def test_many_bases():
    assert format_bases(3_100_000_000) == "3.1 Gb"
    assert format_bases(2.5e12) == "2,500.0 Gb"


def test_summary():
    counts = {"symbolic": 24, "ok": 29_120, "breakend": 0, "no_contig": 24}
    assert format_summary(counts, 58_000, 59_400_000, 312.4, "out.parquet") == (
        "29,168 alleles: 29,120 ok, 24 no_contig, 24 symbolic; "
        "58,000 windows, 59.4 Mb read in 312 s (190 kb/s) -> out.parquet"
    )


def test_summary_of_nothing():
    assert format_summary({}, 0, 0, 0.0, "-", unit="regions") == ("0 regions in 0.0 s -> standard output")


def test_no_bar_without_a_terminal(capfd):
    with progress("Scoring", 10, "variants") as bar:
        bar.advance(5, 1_000)
    assert capfd.readouterr() == ("", "")


def test_no_bar_when_quiet(terminal):
    stream = terminal()
    with progress("Scoring", 10, "variants", quiet=True) as bar:
        bar.advance(5, 1_000)
    assert stream.getvalue() == ""


def test_bar_with_a_total(terminal, capsys):
    stream = terminal()
    with progress("Scoring", 2_000, "variants") as bar:
        bar.advance(1_000, 5_000)
        bar.advance(1_000, 5_000)
    shown = stream.getvalue()
    assert "Scoring" in shown
    assert "2,000/2,000 variants" in shown
    assert "b/s" in shown or "bp/s" in shown
    assert capsys.readouterr().out == ""


def test_bar_without_a_total(terminal):
    stream = terminal()
    with progress("Scoring", None, "variants") as bar:
        bar.advance(10, 100)
        bar.advance(10, 100)
        assert bar._display.tasks[0].total is None
    assert "20 variants" in stream.getvalue()


@pytest.mark.parametrize("stream", [None, "closed"])
def test_standard_error_that_is_not_there(stream, monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed if stream else None)
    with progress("Scoring", 10, "variants") as bar, download_progress("a.ckpt", 9) as show:
        bar.advance(5, 1_000)
        show(3)


def test_standard_output_is_left_alone(terminal):
    terminal()
    before = sys.stdout
    with progress("Scoring", 1, "variants"):
        assert sys.stdout is before


def test_a_log_line_goes_above_the_bar(terminal, logs):
    stream = terminal()
    configure_logging()
    with progress("Scoring", 1, "variants"):
        logging.getLogger("janusdna").info("between")
    assert "janusdna: between" in stream.getvalue()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["info", "warning"]),
        ({"quiet": True}, ["warning"]),
        ({"verbose": True}, ["debug", "info", "warning"]),
    ],
)
def test_levels(options, expected, capsys, logs):
    configure_logging(**options)
    configure_logging(**options)
    for level in ("debug", "info", "warning"):
        getattr(logging.getLogger("janusdna_cli.variants.scoring"), level)(f"is {level}")
        getattr(logging.getLogger("another"), level if level != "warning" else "info")("not ours")
    prefix = {"warning": "warning: "}
    lines = [f"janusdna: {prefix.get(level, '')}is {level}" for level in expected]
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", lines)


def test_python_warnings_are_one_line(capsys, logs):
    configure_logging()
    warnings.simplefilter("always", UserWarning)
    warnings.warn("first\n  second", UserWarning, stacklevel=1)
    warnings.warn("for developers", FutureWarning, stacklevel=1)
    assert capsys.readouterr().err == f"janusdna: warning: UserWarning: first second{os.linesep}"
