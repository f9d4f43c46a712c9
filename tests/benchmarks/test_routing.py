"""benchmarks/routing.py: choices of experts by two ways, counted, and scores beside them."""

import json
import random

import numpy as np
import pytest


@pytest.fixture
def routes(module):
    return module("routes")


@pytest.fixture
def pairs(module):
    return module("route_pairs")


def routes_of(routes, chosen, gap=1.0):
    chosen = np.array(chosen, np.uint8)
    gaps = np.full(chosen.shape[:2], gap)
    return routes.Routes(chosen, gaps < 0, chosen, chosen, gaps, gaps, gaps * 0)


def read(routes, logp, places):
    found = {routes.Place(*place): routes_of(routes, chosen) for place, chosen in places.items()}
    return routes.Read(np.array(logp), found, 0.0)


def test_the_script_counts_choices_and_compares_scores(run, tmp_path):
    bases = "".join(random.Random(1).choices("ACGT", k=300))
    (tmp_path / "g.fa").write_text(f">c\n{bases[:70]}N{bases[70:]}\n")
    small = ("--fasta", tmp_path / "g.fa", "--window", 64, "--bases", 192, "--sites", 16)
    pair = "float32/one window at a time"
    printed = run("routing", *small, "--pairs", pair, "--json", tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    (overview,) = (row for row in rows if "windows with one" in row)
    # Of the four windows the second holds the N; four layers of two streams, both strands.
    assert overview["choices"] == 3 * 64 * 8 * 2
    (llr,) = (row for row in rows if row.get("score") == "llr" and row["bases from another choice"] == "all")
    assert llr["number"] == 3 * 64 * 3
    assert llr["spread of the score"] > 0.1
    assert llr["largest"] < 1e-4
    assert [row["read by"] for row in rows if "read by" in row] == pair.split("/")
    assert len([row for row in rows if "routed by" in row]) == 3
    assert "| layer" in printed


def test_a_genome_without_a_window_is_said(run, tmp_path):
    (tmp_path / "g.fa").write_text(">c\nACGTN\n")
    with pytest.raises(SystemExit, match="no window of 64 known bases"):
        run(
            "routing", "--fasta", tmp_path / "g.fa", "--window", 64, "--pairs", "float32/one window at a time"
        )


def test_a_prediction_stands_behind_what_its_streams_have_read(routes, pairs):
    plain, other = [[0, 1]] * 5, [[0, 1], [0, 2], *[[0, 1]] * 3]
    forward, backward = (False, 1), (True, 1)
    a = read(routes, np.zeros((2, 5, 4)), {forward: [plain, plain], backward: [plain, plain]})
    b = read(routes, np.zeros((2, 5, 4)), {forward: [other, plain], backward: [plain, plain]})
    c = read(routes, np.zeros((2, 5, 4)), {forward: [plain, plain], backward: [other, plain]})
    d = read(routes, np.zeros((2, 5, 4)), {forward: [plain, other], backward: [plain, plain]})
    far = pairs.FAR
    assert pairs.distances(a, a).tolist() == [[far] * 5]
    assert pairs.distances(a, b).tolist() == [[far, far, 1, 2, 3]]
    assert pairs.distances(a, c).tolist() == [[1, far, far, far, far]]
    # The other strand's base 1 is base 3 of this one, and its forward stream comes from the right.
    assert pairs.distances(a, d).tolist() == [[3, 2, 1, far, far]]


def test_first_is_what_no_choice_below_can_have_moved(routes, pairs):
    plain, late, early = ([[0, 1]] * 3 for _ in range(3))
    late = [*plain[:2], [0, 2]]
    early = [[2, 1], [1, 0], [0, 2]]
    logp = np.log(np.full((2, 3, 4), 0.25))
    a = read(
        routes, logp, {(False, 1): [plain, plain], (False, 3): [plain, plain], (True, 1): [plain, plain]}
    )
    b = read(routes, logp, {(False, 1): [late, plain], (False, 3): [early, plain], (True, 1): [plain, plain]})
    group = pairs.Group(np.full((1, 3), 7, np.uint8), np.arange(3), [])
    tally = pairs.Tally()
    tally.add(group, [pairs.Reading(logp[:1], a)], [pairs.Reading(logp[:1], b)])
    assert tally.total._replace(by_logits=0, exact=0) == pairs.Counts(
        choices=18, other=3, first=2, reordered=1
    )
    assert [len(part) for part in tally.gaps[0]] == [1, 1, 0]
    assert tally.windows_apart == 1


def test_a_changed_window_is_read_around_its_middle(module):
    routing = module("routing")
    ids = np.full((3, 10), 7, np.uint8)
    changed = routing.change(ids, slice(0, None, 2), 4, 1, np.random.default_rng(0))
    assert changed.ids.shape == (2, 7)
    assert changed.before.tolist() == list(range(10))
    assert changed.after.tolist() == list(range(7))
    assert routing.around(500, 3, 1024).tolist() == list(range(372, 631))
