"""The map of a region: what it shows where, and that it can be read."""

import numpy as np
import pytest
from matplotlib.image import AxesImage

from janusdna import tokens
from janusdna_cli.errors import InputError
from janusdna_cli.mutagenesis.picture import LONGEST_MAP, check_length, draw_map


def region(bases: int, *, seed: int = 0, **given):
    rng = np.random.default_rng(seed)
    ids = tokens.encode("".join(rng.choice(list("ACGT"), bases)).encode()).copy()
    logits = rng.normal(size=(bases, 4))
    logp = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
    own = np.arange(bases), ids.astype(int) - tokens.A
    scores = logp - logp[own][:, None]
    scores[own] = np.nan
    facts = {"contig": "chr17", "start": 43_044_294, "deletions": None, "score_name": "llr"}
    return facts | {"ids": ids, "logp": logp, "scores": scores} | given


def heats(figure):
    return [image.get_array() for axes in figure.axes for image in axes.get_images()]


@pytest.mark.parametrize("bases", [1, 5, 40, 41, 100, 234])
@pytest.mark.parametrize("score_name", ["llr", "emb_cosine"])
def test_all_text_is_inside_and_none_over_another(bases, score_name, saved_figures, assert_legible, tmp_path):
    long = "a_contig_whose_name_is_longer_than_any_picture_is_wide_" * 3
    for given in ({"deletions": np.zeros(bases), "start": 248_000_000}, {"contig": long}):
        draw_map(str(tmp_path / "map.png"), **region(bases, score_name=score_name, **given))
        assert_legible(saved_figures[-1])


def test_each_score_stands_at_its_base_and_allele(saved_figures, tmp_path):
    asked = region(234, deletions=np.arange(234.0))
    draw_map(str(tmp_path / "map.svg"), **asked)
    drawn = np.ma.concatenate(heats(saved_figures[0]), axis=1)
    assert drawn.shape == (5, 234)
    np.testing.assert_array_equal(drawn[:4].filled(np.nan), asked["scores"].T)
    np.testing.assert_array_equal(drawn[4], asked["deletions"])


def test_the_numbers_below_are_those_of_the_bases(saved_figures, tmp_path):
    draw_map(str(tmp_path / "map.png"), **region(150))
    axes = [
        axes for axes in saved_figures[0].axes if any(isinstance(x, AxesImage) for x in axes.get_children())
    ]
    told = {
        int(text.get_text().replace(",", "")): x
        for each in axes
        for x, text in zip(each.get_xticks(), each.get_xticklabels(), strict=True)
    }
    assert all(43_044_294 + x + 1 == position for position, x in told.items())
    assert set(told) == set(range(43_044_300, 43_044_445, 20))


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_the_same_region_gives_the_same_bytes(form, tmp_path):
    pictures = []
    for name in ("a", "b"):
        draw_map(str(tmp_path / f"{name}.{form}"), **region(60))
        pictures.append((tmp_path / f"{name}.{form}").read_bytes())
    assert pictures[0] == pictures[1]


def test_bases_that_are_none_and_scores_that_are_not_there(saved_figures, tmp_path):
    asked = region(12, scores=np.full((12, 4), np.nan))
    asked["ids"][3] = tokens.encode(b"N")[0]
    draw_map(str(tmp_path / "map.png"), **asked)
    assert heats(saved_figures[0])[0].mask.all()


@pytest.mark.parametrize("bases", [0, LONGEST_MAP + 1])
def test_a_region_that_no_picture_shows_is_one_line(bases):
    with pytest.raises(InputError, match=f"region c:1-9: found {bases:,} bases, a picture shows 1 to 3,000"):
        check_length("c:1-9", bases)
