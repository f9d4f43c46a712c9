"""`janusdna plot`: what the page shows, and the files and lines of the command."""

import json
import os
import re
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from janusdna_cli.training.curves_page import MOST_RUNS, Run, draw_runs, smoothed, thinned
from janusdna_cli.training.metrics import read_metrics

TITLES = [
    "Bits per base",
    "Accuracy",
    "Learning rate",
    "Load-balancing loss",
    "Gradient norm",
    "Tokens per second",
]
USAGE = {"forward": [[0.1, 0.9], [0.5, 0.5]], "backward": [[0.3, 0.7], [0.6, 0.4]]}
CONFIG = {
    "model": {"hidden_size": 32, "num_layers": 8, "num_experts": 16},
    "settings": {"preset": "janusdna-32", "objective": "janus", "length": 1024, "seed": 7},
}


def record(step, **fields):
    found = {
        "step": step,
        "bits_per_base": 2.0 - step / 1000,
        "accuracy": 0.25 + step / 1000,
        "lr": 0.001 * step,
        "aux_loss": 1.0 - step / 1000,
        "gradient_norm": 1.0 + step / 100,
        "tokens": 512 * step,
        "tokens_per_second": 1000.0 + step,
    }
    return found | fields


def validation(step, **fields):
    return {"step": step, "valid_bits_per_base": 1.9 - step / 1000, "valid_accuracy": 0.3} | fields


@pytest.fixture
def save(tmp_path, monkeypatch):
    """Writes a run's folder and names it."""
    monkeypatch.chdir(tmp_path)

    def write(*records, name="run", config=None, end="\n"):
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.jsonl").write_text("\n".join(json.dumps(line) for line in records) + end)
        if config is not None:
            (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
        return name

    return write


@pytest.fixture
def ten(save):
    steps = [record(step) for step in range(1, 11)]
    return save(*steps, validation(5), validation(10, valid_expert_usage=USAGE), config=CONFIG)


def page(*folders, details=""):
    return draw_runs([Run(Path(folder).name, details, read_metrics(folder)) for folder in folders])


def panels(figure):
    return {axes.get_title(loc="left"): axes for axes in figure.axes}


def lines(axes):
    return {
        line.get_label(): [np.asarray(points).tolist() for points in line.get_data()] for line in axes.lines
    }


def texts(figure):
    return [text.get_text() for text in figure.texts]


def svg_texts(path):
    return ["".join(node.itertext()) for node in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_every_curve_is_drawn(ten):
    found = panels(page(ten))
    steps = list(range(1, 11))
    assert [title for title in found if title in TITLES] == TITLES
    assert lines(found["Bits per base"]) == {
        "run: each step": [steps, [2.0 - step / 1000 for step in steps]],
        "run: validation": [[5, 10], [1.895, 1.89]],
        "no idea": [[0, 1], [2.0, 2.0]],
    }
    assert lines(found["Accuracy"]) == {
        "run: each step": [steps, [0.25 + step / 1000 for step in steps]],
        "run: validation": [[5, 10], [0.3, 0.3]],
    }
    for title, field in zip(
        TITLES[2:], ("lr", "aux_loss", "gradient_norm", "tokens_per_second"), strict=True
    ):
        expected = [record(step)[field] for step in steps]
        assert lines(found[title]) == {"run: each step": [steps, expected]}
    assert [found[title].get_xlabel() for title in TITLES] == ["step (512 tokens each)", *["step"] * 5]


def test_the_experts_of_the_last_validation_are_maps(ten):
    found = panels(page(ten))
    for stream in ("forward", "backward"):
        axes = found[f"Experts, {stream}"]
        (mesh,) = axes.collections
        assert mesh.get_array().tolist() == USAGE[stream]
        assert mesh.get_clim() == (0, 1.0)  # twice an even share
        assert (axes.get_title(loc="right"), axes.yaxis_inverted()) == ("step 10", True)
    bar = found[""]
    told = {
        round(at, 6): label.get_text()
        for at, label in zip(bar.get_xticks(), bar.get_xticklabels(), strict=True)
    }
    assert told == {0.0: "0% of the tokens", 0.5: "50% even", 1.0: "100%"}


def test_a_collapse_onto_one_expert_still_tells_what_is_even(save):
    usage = {"forward": [[1.0, *[0.0] * 15]]}
    bar = panels(page(save(record(1), validation(1, valid_expert_usage=usage))))[""]
    assert [label.get_text() for label in bar.get_xticklabels()] == ["0% of the tokens (even: 6.25%)", "100%"]


def test_runs_are_overlaid_each_in_its_colour(save):
    first = save(record(1), record(2), validation(2, valid_expert_usage=USAGE), name="first")
    second = save(record(1, tokens=10), record(4, tokens=40), name="second")
    figure = page(first, second)
    found = panels(figure)
    axes = found["Bits per base"]
    assert list(lines(axes)) == ["first: each step", "first: validation", "second: each step", "no idea"]
    assert [line.get_color() for line in axes.lines] == ["#0072b2", "#0072b2", "#d55e00", "black"]
    assert "first: forward" in found
    assert "second: forward" not in found
    assert axes.get_xlabel() == "step"
    assert texts(figure)[:2] == ["first: step 2 (1.02k tokens)", "second: step 4 (40 tokens)"]
    keys = [line.get_color() for line in figure.artists][:2]
    assert keys == ["#0072b2", "#d55e00"]


def test_long_runs_are_smoothed_over_the_raw_line(save):
    wave = [1.9 + 0.1 * (-1) ** step for step in range(200)]
    drawn = lines(
        panels(page(save(*[record(step, bits_per_base=wave[step]) for step in range(200)])))["Bits per base"]
    )
    assert drawn["run: each step"][1] == wave
    middle = np.array(drawn["run: mean"][1][10:-10])  # windows of five: three of one sign, two of the other
    assert np.abs(middle - 1.9).max() == pytest.approx(0.02)


def test_smoothed():
    nan = np.nan
    assert smoothed(np.array([1.0, 2, 6, 4, 0]), 3).tolist() == [1, 3, 4, 10 / 3, 2]
    assert smoothed(np.array([8.0, 4, 3, 1, 0]), 5).tolist() == [8, 5, 16 / 5, 2, 4 / 3]
    np.testing.assert_array_equal(smoothed(np.array([1.0, nan, 3, 5]), 3), [1, nan, 4, 4])
    assert smoothed(np.array([3.0, 1]), 1).tolist() == [3, 1]


def test_thinned_keeps_every_spike():
    steps, values = np.arange(100_000), np.sin(np.arange(100_000) / 9e3)
    values[[777, 50_001, 99_999]] = 9, -9, 8
    kept = thinned(steps, values, bins=500)
    assert len(kept) <= 1000
    assert (np.diff(kept) > 0).all()
    assert {777, 50_001, 99_999} <= set(kept.tolist())
    for part in np.split(np.arange(100_000), 500)[1:-1]:
        inner = part[5:-5]  # an edge may fall a step to either side
        found = values[kept[(kept >= part[0] - 5) & (kept <= part[-1] + 5)]]
        assert found.min() <= values[inner].min()
        assert found.max() >= values[inner].max()


def test_thinned_is_by_step_keeps_gaps_and_leaves_short_lines_alone():
    assert thinned(np.array([1, 5, 9]), np.array([1.0, np.nan, 2]), bins=2).tolist() == [0, 1, 2]
    steps = np.array([0, 1, 2, 3, 4, 5, 6, 90, 100])
    values = np.array([5.0, 1, 2, 9, 3, 3, 3, 7, np.nan])
    assert thinned(steps, values, bins=2).tolist() == [1, 3, 7]
    hole = np.concatenate([np.ones(10), np.full(20, np.nan), np.ones(10)])
    kept = thinned(np.arange(40), hole, bins=10)
    assert np.isnan(hole[kept]).any()


def test_a_page_of_a_long_run_has_few_points(save):
    spiky = {"bits_per_base": 7.5, "gradient_norm": 900.0}
    run = save(*[record(step, **(spiky if step == 3456 else {"bits_per_base": 1.9})) for step in range(5000)])
    found = panels(page(run))
    for title in TITLES:
        assert all(len(line.get_xdata()) <= 2000 for line in found[title].lines)
    drawn = lines(found["Bits per base"])["run: each step"]
    assert (drawn[0][drawn[1].index(7.5)], max(drawn[1])) == (3456, 7.5)
    assert found["Bits per base"].get_title(loc="right") == "↑ 7.5 at step 3,456"
    assert found["Bits per base"].get_ylim()[1] < 2.1
    assert found["Gradient norm"].get_yscale() == "log"
    assert found["Learning rate"].get_yscale() == "linear"


def test_nan_breaks_the_line_and_points_between_gaps_are_dots(save):
    holes = {2: float("nan"), 4: float("inf"), 7: None}
    run = save(*[record(step, bits_per_base=holes.get(step, 1.9)) for step in range(1, 10)])
    line = panels(page(run))["Bits per base"].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), [1.9, np.nan, 1.9, np.nan, 1.9, 1.9, np.nan, 1.9, 1.9])
    assert (line.get_marker(), line.get_markevery()) == ("o", [0, 2])


def test_what_was_not_recorded_is_said(save):
    found = panels(page(save({"step": 3, "bits_per_base": 1.9, "aux_loss": float("nan")})))
    assert [t for t in TITLES if [text.get_text() for text in found[t].texts] == ["not recorded"]] == TITLES[
        1:
    ]
    assert found["Bits per base"].get_xlim() == (2.5, 3.5)


def test_a_run_of_validations_only_is_drawn(save):
    found = panels(page(save(validation(5), validation(9))))
    assert lines(found["Accuracy"]) == {"run: validation": [[5, 9], [0.3, 0.3]]}


def test_no_state_of_matplotlib_is_touched(ten):
    before = dict(matplotlib.rcParams)
    page(ten)
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def plot(work):
    """Runs the command where the runs are."""

    def call(*arguments):
        return work.run("plot", *arguments)

    return call


def test_both_pictures_go_into_the_run(plot, ten):
    result = plot(ten)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "janusdna: 10 steps drawn -> run/curves.png, run/curves.svg\n"
    assert imread("run/curves.png").shape == (1336, 1800, 4)
    root = ET.parse("run/curves.svg").getroot()
    assert root.attrib["width"] == "864pt"  # 12 inches
    said = svg_texts("run/curves.svg")
    summary = "janusdna-32, objective janus, windows of 1,024 bases, seed 7, width 32, 8 layers, 16 experts"
    assert {"run", f"{summary}; step 10 (5.12k tokens)"} <= set(said)
    assert {*TITLES, "Experts, forward", "validation", "no idea: 2 bits per base"} <= set(said)
    assert sorted(path.name for path in Path("run").iterdir()) == [
        "config.json",
        "curves.png",
        "curves.svg",
        "metrics.jsonl",
    ]


def test_the_same_metrics_give_the_same_bytes_and_replace_what_is_there(plot, ten):
    names = ("run/curves.png", "run/curves.svg")
    assert plot(ten).exit_code == 0
    first = [Path(name).read_bytes() for name in names]
    for name in names:
        Path(name).write_text("old")
    assert plot(ten, "--quiet").stderr == ""
    assert [Path(name).read_bytes() for name in names] == first
    assert plot(ten, "-o", "alone.svg").exit_code == 0
    assert Path("alone.svg").read_bytes() == first[1]
    assert b"<dc:date>" not in first[1]


@pytest.mark.parametrize(
    ("arguments", "path", "form"),
    [
        (["-o", "a.png"], "a.png", "png"),
        (["-o", "a.SVG"], "a.SVG", "svg"),
        (["-o", "a", "--format", "svg"], "a", "svg"),
        (["-o", "a.svg", "--format", "png"], "a.svg", "png"),
        (["--format", "svg"], "run/curves.svg", "svg"),
    ],
)
def test_the_format_is_by_suffix_or_by_option(plot, ten, arguments, path, form):
    result = plot(ten, *arguments)
    assert (result.exit_code, result.stderr) == (0, f"janusdna: 10 steps drawn -> {path}\n")
    start = {"png": b"\x89PNG\r\n", "svg": b"<?xml "}[form]
    assert Path(path).read_bytes().startswith(start)
    written = [name for name in ("run/curves.png", "run/curves.svg") if Path(name).exists()]
    assert written == [name for name in [path] if name.startswith("run/")]


def test_standard_output(plot, ten):
    assert plot(ten, "-o", "-").stdout_bytes.startswith(b"\x89PNG")
    assert plot(ten, "-o", "-", "--format", "svg").stdout_bytes.startswith(b"<?xml")


def test_several_runs_on_one_page(plot, save, ten):
    other = save(record(1), record(2), name="deep/run")
    result = plot(ten, other, "-o", "compare.svg")
    assert (result.exit_code, result.stderr) == (0, "janusdna: 10, 2 steps drawn -> compare.svg\n")
    said = svg_texts("compare.svg")
    assert [text for text in said if text.startswith("run: janusdna-32, ")]
    assert "deep/run: step 2 (1.02k tokens)" in said


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (None, ""),
        ("not json", ""),
        ("[1]", ""),
        ({"settings": 3, "model": None}, ""),
        ({"settings": {"preset": None, "length": "long", "seed": True}}, "windows of long bases; "),
        ({"settings": {"seed": 0}, "model": {"num_layers": 4, "hidden_size": [1]}}, "seed 0, 4 layers; "),
    ],
)
def test_config_json_is_told_as_far_as_it_can_be_read(plot, save, config, said):
    assert plot(save(record(1), config=config), "--format", "svg").exit_code == 0
    assert f"{said}step 1 (512 tokens)" in svg_texts("run/curves.svg")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("$x_1$ & <b>", "$x_1$ & <b>"),
        ("_hidden", "_hidden"),
        ("a\x07b\nc", "a\ufffdb\ufffdc"),
        ("ゲノム", "ゲノム"),
    ],
)
def test_any_name_of_a_run_is_shown_as_it_is(plot, save, name, shown):
    assert plot(save(record(1), name=name)).exit_code == 0
    assert shown in svg_texts(f"{name}/curves.svg")
    assert plot(name, name, "-o", "two.svg").exit_code == 0
    assert f"{shown}: step 1 (512 tokens)" in svg_texts("two.svg")


def test_a_half_written_line_is_noted(plot, ten):
    with Path("run/metrics.jsonl").open("a") as file:
        file.write('{"step": 11, "bits')
    first, second = plot(ten).stderr.splitlines()
    assert first == "janusdna: run/metrics.jsonl: line 13 is half-written and left out"
    assert second.startswith("janusdna: 10 steps drawn -> ")


def error(result):
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1), result.output
    return re.fullmatch("janusdna: error: (.*)\n", result.stderr)[1]


def test_what_is_no_run_is_one_line(plot, save):
    told = "pass the folder that `janusdna pretrain` writes, or a table of scores"
    assert error(plot("nowhere")) == f"nowhere: there is no such folder; {told}"
    Path("empty").mkdir()
    assert error(plot("empty")) == f"empty: found no metrics.jsonl in it; {told}"
    save(name="new", end="")
    expected = "found no step, expected a line a step; plot when the run has made its first"
    assert error(plot("new")) == f"new/metrics.jsonl: {expected}"
    Path("new/metrics.jsonl").write_text('{"step": 1}\n{"step": 2, "lr": "fast"}\n')
    expected = 'found lr "fast", expected a number'
    assert error(plot("new")) == f"new/metrics.jsonl: line 2: {expected}"
    assert not list(Path("new").glob("*.*g"))


def test_what_cannot_be_written_is_one_line(plot, ten, tmp_path):
    folder = tmp_path / "no"
    assert (
        error(plot(ten, "-o", "no/a.png")) == f"no/a.png: the folder {folder} does not exist; create it first"
    )
    known = "use .png, .svg or .pdf"
    assert error(plot(ten, "-o", "a.gif")) == f"a.gif: the suffix .gif names no picture format; {known}"
    assert error(plot(ten, "-o", "a")) == f"a: the suffix (none) names no picture format; {known}"
    assert error(plot(ten, "-o", "run", "--format", "png")).startswith(
        "run: is a folder, expected the name of a"
    )


def test_a_folder_that_may_not_be_written_is_one_line(plot, ten, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "run")
    folder = f"the folder {tmp_path / 'run'} is not writable; choose another output"
    assert error(plot(ten)) == f"run/curves.png: {folder}"


def test_a_full_disk_is_one_line(plot, ten, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    said = "No space left on device; make room or choose another output"
    assert error(plot(ten)) == f"run/curves.png: cannot be written: {said}"


def test_several_runs_need_an_output(plot, ten):
    assert error(plot(ten, ten)) == "found 2 runs and no output; pass -o, such as -o compare.png"
    many = error(plot(*[ten] * (MOST_RUNS + 1), "-o", "a.png"))
    assert many == f"found {MOST_RUNS + 1} runs, expected at most {MOST_RUNS}: more cannot be told apart"


def test_as_many_runs_as_there_may_be(ten):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = page(*[ten] * MOST_RUNS)
    axes = panels(figure)["Learning rate"]
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == MOST_RUNS


@pytest.mark.parametrize("arguments", [[], ["run", "--format", "gif"], ["run", "--window", "3"]])
def test_a_wrong_command_line_is_2(plot, ten, arguments):
    result = plot(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_help_loads_neither_matplotlib_nor_torch():
    code = (
        "import sys; from janusdna_cli.app import app; app(['plot', '--help'], standalone_mode=False); "
        "assert not {'matplotlib', 'torch'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")


def test_plotting_loads_neither_pyplot_nor_torch(ten):
    code = (
        "import sys; from janusdna_cli.app import app; app(['plot', 'run'], standalone_mode=False); "
        "assert not {'matplotlib.pyplot', 'torch'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
