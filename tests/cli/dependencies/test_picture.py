"""The picture of a dependency map: what stands where, and that it can be read."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import PathPatch

from janusdna import tokens
from janusdna_cli.dependencies.dependency_map import DependencyMap
from janusdna_cli.dependencies.picture import draw_dependencies
from janusdna_cli.outputs.pictures import BASE_COLOURS


def some_map(bases: int, *, chrom: str = "chr17", start: int = 43_044_294) -> DependencyMap:
    rng = np.random.default_rng(0)
    ids = tokens.encode("".join(rng.choice(list("ACGT"), bases)).encode()).copy()
    values = rng.exponential(size=(bases, 4, bases)).astype(np.float32)
    values[np.arange(bases), :, np.arange(bases)] = np.nan
    values[np.arange(bases), ids - tokens.A] = np.nan
    if bases > 9:
        ids[7] = tokens.PAD
        values[7] = np.nan
    return DependencyMap(chrom, start, ids, values)


@pytest.mark.parametrize("bases", [2, 9, 50, 51, 140, 300, 1000])
def test_all_text_is_inside_and_none_over_another(bases, saved_figures, assert_legible, tmp_path):
    for given in ({"start": 248_000_000}, {"chrom": "a_contig_with_a_name_that_no_picture_has_room_for" * 3}):
        draw_dependencies(some_map(bases, **given), str(tmp_path / "map.png"))
        # Of the sequence's letters, which are drawn as shapes, size and place follow from the map's.
        assert_legible(saved_figures[-1])


@pytest.mark.parametrize("bases", [9, 200])
def test_a_cell_is_base_i_from_above_and_base_j_from_the_left(bases, saved_figures, tmp_path):
    found = some_map(bases)
    draw_dependencies(found, str(tmp_path / "map.svg"))
    square = next(axes for axes in saved_figures[0].axes if axes.get_xlabel().startswith("base j"))
    image = square.get_images()[0]
    np.testing.assert_array_equal(image.get_array().filled(np.nan), found.matrix)
    assert image.origin == "upper"
    for at, label in zip(square.get_yticks(), square.get_yticklabels(), strict=True):
        assert label.get_text() == f"{43_044_295 + round(at):,}"
    assert [label.get_text() for label in square.get_xticklabels()] == [
        label.get_text() for label in square.get_yticklabels()
    ]


@pytest.mark.parametrize("side", [0, 1])
def test_the_sequence_stands_upright_along_both_sides(side, saved_figures, tmp_path):
    found = some_map(9)
    draw_dependencies(found, str(tmp_path / "map.svg"))
    square = next(axes for axes in saved_figures[0].axes if axes.get_xlabel().startswith("base j"))
    box = square.get_position()
    places = {axes: axes.get_position() for axes in saved_figures[0].axes}
    left = next(axes for axes, at in places.items() if at.x1 < box.x0 < at.x1 + 0.02 and at.height > 0.5)
    above = next(axes for axes, at in places.items() if at.y0 - 0.02 < box.y1 < at.y0 and at.width > 0.5)
    axes = (left, above)[side]
    assert axes.get_ylim()[0] < axes.get_ylim()[1]
    found_at = {}
    for letter, colour in zip("ACGT", BASE_COLOURS, strict=True):
        for patch in axes.findobj(PathPatch):
            if to_hex(patch.get_facecolor()) == colour:
                for polygon in patch.get_path().to_polygons():
                    low, high = polygon.min(axis=0), polygon.max(axis=0)
                    x, y = (low + high) / 2
                    found_at[round(x if side else 8 - y)] = letter
    assert "".join(found_at[at] for at in range(9)) == "".join("ACGT"[code] for code in found.codes)


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_the_same_map_gives_the_same_bytes(form, tmp_path):
    pictures = []
    for name in ("a", "b"):
        draw_dependencies(some_map(60), str(tmp_path / f"{name}.{form}"))
        pictures.append((tmp_path / f"{name}.{form}").read_bytes())
    assert pictures[0] == pictures[1]
