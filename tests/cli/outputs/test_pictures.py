"""What all pictures keep: bytes that are the same again, letters where their numbers say, formats by name."""

import io

import numpy as np
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.outputs.logos import draw_logo, information
from janusdna_cli.outputs.picture_formats import picture_format
from janusdna_cli.outputs.pictures import (
    NOTHING,
    WIDE,
    axes_at,
    figure_for_print,
    heat_colours,
    save_picture,
    styled,
)


def test_the_information_of_a_base_is_two_bits_less_its_entropy():
    p = np.array([[0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25], [1 - 3e-9, 1e-9, 1e-9, 1e-9]])
    heights = information(np.log(p).astype(np.float32))
    expected = 2 + (p * np.log2(p)).sum(axis=1)
    assert heights.sum(axis=1) == pytest.approx(expected, abs=1e-6)
    assert heights[0] / heights[0].sum() == pytest.approx(p[0], abs=1e-6)


def test_letters_are_stacked_without_gaps_the_highest_on_top():
    heights = np.array([[0.5, 0.2, 0.0, 0.9], [0.0, 0.0, 1.5, 0.1]])
    with styled():
        axes = axes_at(figure_for_print(50, 20), 5, 5, 40, 10)
        draw_logo(axes, heights, first=7)
    boxes = {}
    for patch in axes.patches or axes.get_children():
        if hasattr(patch, "get_path") and len(patch.get_path().vertices) > 5:
            for polygon in patch.get_path().to_polygons(closed_only=False):
                place, colour = round(polygon[:, 0].mean()), patch.get_facecolor()
                low, high = polygon[:, 1].min(), polygon[:, 1].max()
                before = boxes.get((place, colour), (low, high))
                boxes[place, colour] = min(low, before[0]), max(high, before[1])
    stacks = {place: sorted(box for (at, _), box in boxes.items() if at == place) for place in (7, 8)}
    assert np.array(stacks[7]) == pytest.approx(np.array([(0, 0.2), (0.2, 0.7), (0.7, 1.6)]))
    assert np.array(stacks[8]) == pytest.approx(np.array([(0, 0.1), (0.1, 1.6)]))


def test_colours_of_signed_values_are_white_at_zero_and_grey_where_there_is_none():
    colours = heat_colours(np.array([-1.0, 4.0, np.nan]), is_signed=True)
    assert (colours.norm.vmin, colours.norm.vmax, colours.extend) == (-4, 4, "neither")
    red, _, _, _ = colours.map(colours.norm(0.0))
    assert red > 0.95
    assert colours.map(np.ma.masked_invalid([np.nan]))[0][:3] == pytest.approx(
        [int(NOTHING[1:3], 16) / 255] * 3
    )


@pytest.mark.parametrize(("values", "extend"), [([9, -0.1], "max"), ([-9, 0.1], "min"), ([9, -9], "both")])
def test_an_outlier_leaves_the_others_their_colours(values, extend):
    many = np.concatenate([np.tile([-1.0, 1.0], 500), values])
    colours = heat_colours(many, is_signed=True, share=0.99)
    assert colours.norm.vmax == 1
    assert colours.extend == extend


@pytest.mark.parametrize("values", [[], [np.nan], [0.0, 0.0]])
def test_values_that_are_none_or_nothing_have_colours_too(values):
    assert heat_colours(np.array(values, float), is_signed=False).norm.vmax == 1


@pytest.mark.parametrize(
    ("name", "form"), [("a.png", "png"), ("a.SVG", "svg"), ("b/a.pdf", "pdf"), ("-", "png")]
)
def test_a_name_tells_the_format(name, form):
    assert picture_format(name) == form


def test_a_name_of_no_format_is_one_line():
    with pytest.raises(InputError, match=r"a\.jpg: the suffix \.jpg names no picture format; use \.png"):
        picture_format("a.jpg")


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_a_figure_drawn_again_gives_the_same_bytes(form):
    def draw() -> bytes:
        with styled():
            axes = axes_at(figure_for_print(WIDE, 30), 5, 5, 160, 20)
            axes.imshow(np.arange(12).reshape(3, 4), aspect="auto")
            axes.text(0, 0, "text", parse_math=False)
            axes.plot([0, 1], [0, 2])
        file = io.BytesIO()
        save_picture(axes.figure, file, form)
        return file.getvalue()

    first, again = draw(), draw()
    assert first == again
    assert b"Date" not in first
    assert b"date" not in first
