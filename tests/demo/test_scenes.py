"""The procedural world is deterministic, and an edit changes nothing but what it says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from demo.make_clips import DemoClip, DemoEdit, demo_clips
from demo.scenes import (
    SHAPES,
    Figure,
    Motion,
    Scene,
    caption,
    colour_over_time,
    edit_region,
    figure_boxes,
    polygon_distance,
    random_scene,
    render,
    replace_figure,
)

DEMO_EDITS = [pytest.param(clip, edit, id=edit.name) for clip in demo_clips() for edit in clip.edits]


def grow(masks: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Widen masks (frames, height, width) by some pixels in every direction."""
    frames, height, width = masks.shape
    padded = np.pad(masks, ((0, 0), (pixels, pixels), (pixels, pixels)))
    shifts = range(2 * pixels + 1)
    return np.any([padded[:, y : y + height, x : x + width] for y in shifts for x in shifts], axis=0)


def test_rendering_is_deterministic() -> None:
    """The same seed gives the same scene and the same pixels; another seed gives others."""
    first, second, other = (random_scene(np.random.default_rng(seed), num_frames=3) for seed in (7, 7, 8))
    assert first == second
    assert np.array_equal(render(first)[0], render(second)[0])
    assert not np.array_equal(render(first)[0], render(other)[0])


@pytest.mark.parametrize("shape", SHAPES)
def test_figure_is_drawn_where_its_motion_says(shape: str) -> None:
    """A figure's visible pixels surround its path, at its size, in landscape and portrait."""
    figure = Figure(shape, "red", Motion(path=((0.3, 0.3), (0.7, 0.7)), radius=(0.2, 0.2)))
    for width, height in ((160, 96), (96, 160)):
        scene = Scene((figure,), width=width, height=height, num_frames=2)
        video, masks = render(scene)
        assert video.shape == (2, height, width, 3) and video.dtype == np.uint8
        assert masks.shape == (1, 2, height, width) and masks.dtype == np.bool_
        for frame, share in ((0, 0.3), (1, 0.7)):
            x1, y1, x2, y2 = figure_boxes(masks)[0, frame]
            centre = ((x1 + x2) / 2, (y1 + y2) / 2)
            assert centre == pytest.approx((share * width, share * height), abs=6)  # a triangle's is off its box's
            assert max(x2 - x1, y2 - y1) == pytest.approx(2 * 0.2 * 96, rel=0.25)


def test_front_figure_hides_the_one_behind() -> None:
    """Masks are what is visible: figures in the same place do not share a pixel."""
    behind = Figure("square", "red", Motion(path=((0.5, 0.5),), radius=(0.3, 0.3)))
    front = Figure("circle", "blue", Motion(path=((0.5, 0.5),), radius=(0.2, 0.2)))
    _, (behind_mask, front_mask) = render(Scene((behind, front), num_frames=1))
    assert behind_mask.any() and front_mask.any()
    assert not (behind_mask & front_mask).any()


def test_invisible_figure_has_no_box() -> None:
    """A figure outside the frame has a box of NaN."""
    outside = Figure("ring", "gold", Motion(path=((3.0, 3.0),)))
    _, masks = render(Scene((outside,), num_frames=1))
    assert np.isnan(figure_boxes(masks)).all()


def test_polygon_distance_is_signed_and_exact() -> None:
    """The distance to a square is negative inside, and right beside an edge and beyond a corner."""
    unit_square = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))
    points = torch.tensor([[0.0, 0.0], [0.5, 0.0], [2.0, 0.0], [4.0, 5.0]])
    for vertices in (unit_square, unit_square[::-1]):
        assert polygon_distance(points, vertices).tolist() == pytest.approx([-1.0, -0.5, 1.0, 5.0])


def test_late_colour_fades_in_within_its_interval() -> None:
    """An evolving figure has its first colour before the interval and its late colour after it."""
    motion = Motion(path=((0.5, 0.5),))
    evolving = Figure("circle", "purple", motion, late_colour="orange", late_interval=(0.25, 0.5))
    purple, orange = (colour_over_time(Figure("circle", name, motion), 1, "cpu")[0] for name in ("purple", "orange"))
    colours = colour_over_time(evolving, 9, "cpu")
    assert torch.equal(colours[0], purple) and torch.equal(colours[2], purple)
    assert torch.equal(colours[4], orange) and torch.equal(colours[8], orange)
    assert torch.allclose(colours[3], (purple + orange) / 2)


@pytest.mark.parametrize(("clip", "edit"), DEMO_EDITS)
def test_demo_edit_changes_only_the_edited_figure(clip: DemoClip, edit: DemoEdit) -> None:
    """Each demo edit changes something in frame 0, and nothing away from the figure it edits."""
    source, source_masks = render(clip.scene)
    edited, edited_masks = render(edit.scene)
    changed = edit_region(source, edited)
    (figure,) = (
        index
        for index, (before, after) in enumerate(zip(clip.scene.figures, edit.scene.figures, strict=True))
        if before != after
    )
    # Antialiasing reaches one pixel beyond a mask, two at a star's tips.
    near = grow(source_masks[figure] | edited_masks[figure], pixels=2)
    assert changed[0].any()
    assert not (changed & ~near).any()
    assert np.array_equal(source[~changed], edited[~changed])


def test_added_figure_changes_only_its_own_pixels() -> None:
    """An edit may add a figure; where it is not seen, the video stays the same."""
    scene = random_scene(np.random.default_rng(3), num_frames=4)
    added = Figure("cross", "white", Motion(path=((0.2, 0.2), (0.8, 0.8))))
    edited_scene = replace(scene, figures=(*scene.figures, added))
    (source, _), (edited, masks) = render(scene), render(edited_scene)
    assert (edit_region(source, edited) & masks[-1]).sum() >= 0.95 * masks[-1].sum()


def test_caption_names_what_is_seen() -> None:
    """A caption names each figure's look, the movement and the ground, and follows an edit."""
    clip = demo_clips()[0]
    assert caption(clip.scene) == "a red star moving to the right over a green ground, beside a gold square"
    star = clip.scene.figures[1]
    striped = replace_figure(clip.scene, 1, replace(star, stripe_colour="white"))
    assert caption(striped).startswith("a red star with white stripes moving to the right")
