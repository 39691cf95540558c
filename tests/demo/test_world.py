"""The procedural world is deterministic, and an edit changes nothing but what it says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from demo.make_clips import DemoClip, DemoEdit, demo_clips
from demo.world.captions import caption
from demo.world.edits import CHANGE_FRAMES, EDIT_KINDS, number_edit
from demo.world.random_scenes import Drawer, filmed_numbers, number_scene, pack_numbered, random_scene
from demo.world.rendering import pack_scenes, render, render_packed
from demo.world.scenes import COLOURS, Camera, Figure, Light, Mark, Motion, Scene, is_mover, replace_figure
from demo.world.shapes import SHAPES, polygon_distance
from demo.world.truth import edit_region, figure_boxes

DEMO_EDITS = [pytest.param(clip, edit, id=edit.name) for clip in demo_clips() for edit in clip.edits]

SHADOW_REACH = 20  # pixels: 0.7 of the largest figure's radius


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


@pytest.mark.parametrize("flips", [False, True])
def test_late_colour_comes_within_its_interval(flips: bool) -> None:
    """A figure has its first colour before the interval and its late colour after it; a flipping one thins between."""
    motion = Motion(path=((0.5, 0.5),), radius=(0.3, 0.3))
    evolving = Figure("circle", "purple", motion, late_colour="orange", late_interval=(0.25, 0.5), flips=flips)
    video, masks = render(Scene((evolving,), num_frames=9))
    middle = video[:, 48, 80]
    assert np.array_equal(middle[[0, 2]], [COLOURS["purple"]] * 2)
    assert np.array_equal(middle[[4, 8]], [COLOURS["orange"]] * 2)
    halfway = np.mean([COLOURS["purple"], COLOURS["orange"]], axis=0)
    assert (np.abs(middle[3] - halfway).max() <= 1) != flips
    assert (masks[0, 3].sum() < 0.2 * masks[0, 0].sum()) == flips


def test_flipped_figure_shows_a_plain_face() -> None:
    """Stripes and a mark are on the front only."""
    figure = Figure("square", "red", Motion(path=((0.5, 0.5),)), stripe_colour="white", mark=Mark("cross", "black"))
    flipped = replace(figure, late_colour="blue", late_interval=(0.2, 0.8), flips=True)
    video, masks = render(Scene((flipped,), num_frames=3))
    front, back = (video[frame][masks[0, frame]] for frame in (0, 2))
    assert {tuple(COLOURS[name]) for name in ("red", "white", "black")} <= {tuple(pixel) for pixel in front.tolist()}
    assert (np.abs(back.astype(int) - COLOURS["blue"]).max(axis=1) <= 1).mean() > 0.9


@pytest.mark.parametrize("is_portrait", [False, True])
def test_scenes_rendered_together_are_as_rendered_alone(is_portrait: bool) -> None:
    """A scene's pixels do not depend on the scenes it is packed with, up to rounding of single values."""
    scenes = [number_scene("train", number, is_portrait) for number in range(12)]
    videos = render_packed(pack_scenes(scenes), num_frames=17)
    for scene, video in zip(scenes, videos, strict=True):
        expected = render(scene)[0][:17].astype(int)
        difference = np.abs(video.permute(1, 2, 3, 0).numpy().astype(int) - expected)
        assert difference.max() <= 1 and (difference > 0).mean() < 1e-3


def test_numbered_scenes_are_reproducible_and_splits_differ() -> None:
    """A number gives the same scene in any process; held-out scenes are other scenes."""
    scenes, packed = pack_numbered("train", range(3), num_workers=2)
    again, packed_again = pack_numbered("train", range(3))
    assert scenes == again and all(torch.equal(packed[key], packed_again[key]) for key in packed)
    assert all(number_scene("held_out", number) not in scenes for number in range(3))


def test_random_scenes_hold_what_edits_show() -> None:
    """Marks, stripes, changes, figures that meet, leave and return, and figures at rest all turn up."""
    scenes = [number_scene("train", number) for number in range(200)]
    figures = [figure for scene in scenes for figure in scene.figures]
    assert any(figure.mark for figure in figures) and any(figure.stripe_colour for figure in figures)
    assert any(figure.flips for figure in figures) and any(f.late_colour and not f.flips for f in figures)
    assert any(len(figure.motion.path) == 1 for figure in figures)
    visible = [render(scene)[1].any(axis=(2, 3)) for scene in scenes[:60]]
    assert all(masks[:, 0].all() for masks in visible)  # every figure is seen in the first frame
    assert any(not row.all() and row[-1] for masks in visible for row in masks)  # left, and returned
    assert any(
        _halfway(scene.figures[0]) == pytest.approx(_halfway(scene.figures[1]))
        for scene in scenes
        if sum(is_mover(figure) for figure in scene.figures) == len(scene.figures) == 2
    )


def _halfway(figure: Figure) -> tuple[float, ...]:
    first, middle, last = figure.motion.path
    return tuple((a + 2 * b + c) / 4 for a, b, c in zip(first, middle, last, strict=True))


@pytest.mark.parametrize("kind", EDIT_KINDS)
def test_random_edit_changes_only_its_figure(kind: str) -> None:
    """An edit of each kind is seen in the first frame, and changes nothing away from its figure."""
    for number in range(4):
        edit = number_edit("held_out", number, kind)
        assert edit == number_edit("held_out", number, kind)
        source, edited = render(edit.source)[0], render(edit.edited)[0]
        others = edit.edited.figures[: edit.figure] + edit.edited.figures[edit.figure + 1 :]
        backdrop, _ = render(replace(edit.edited, figures=others))
        changed = edit_region(source, edited)
        assert changed[0].any()
        assert not (changed & ~edit_region(backdrop, source) & ~edit_region(backdrop, edited)).any()


def test_evolving_edit_changes_after_the_first_frames() -> None:
    """Up to CHANGE_FRAMES the edited figure looks as in frame 0; from the reference on it has another colour."""
    for number in range(6):
        edit = number_edit("held_out", number, "evolving")
        figure = edit.edited.figures[edit.figure]
        constant = replace_figure(edit.edited, edit.figure, replace(figure, late_colour=figure.colour))
        evolves = edit_region(render(constant)[0], render(edit.edited)[0]).any(axis=(1, 2))
        assert not evolves[: CHANGE_FRAMES[0] + 1].any()
        (reference,) = edit.references
        assert reference > CHANGE_FRAMES[1]
        seen = render(edit.edited)[1][edit.figure].any(axis=(1, 2))
        assert evolves[CHANGE_FRAMES[1] :][seen[CHANGE_FRAMES[1] :]].all()


@pytest.mark.parametrize(("clip", "edit"), DEMO_EDITS)
def test_demo_edit_changes_only_the_edited_figure(clip: DemoClip, edit: DemoEdit) -> None:
    """Each demo edit changes something in frame 0, and nothing away from the figure it edits, but by its shadow."""
    unshaded, unshaded_edit = (
        replace(scene, light=replace(scene.light, shadow=0.0)) for scene in (clip.scene, edit.scene)
    )
    source, source_masks = render(unshaded)
    edited, edited_masks = render(unshaded_edit)
    changed = edit_region(source, edited)
    figures = [
        masks[index]
        for masks, of, other in ((source_masks, clip.scene, edit.scene), (edited_masks, edit.scene, clip.scene))
        for index, figure in enumerate(of.figures)
        if figure not in other.figures
    ]
    # Antialiasing reaches one pixel beyond a mask, two at a star's tips.
    near = grow(np.any(figures, axis=0), pixels=2)
    assert changed[0].any()
    assert not (changed & ~near).any()
    assert np.array_equal(source[~changed], edited[~changed])
    shaded = edit_region(render(clip.scene)[0], render(edit.scene)[0])
    assert not (shaded & ~grow(near, pixels=SHADOW_REACH)).any()


def test_added_figure_changes_only_its_own_pixels() -> None:
    """An edit may add a figure; where it is not seen, the video stays the same."""
    scene = random_scene(np.random.default_rng(3), num_frames=4)
    added = Figure("cross", "white", Motion(path=((0.2, 0.2), (0.8, 0.8))))
    edited_scene = replace(scene, figures=(*scene.figures, added))
    (source, _), (edited, masks) = render(scene), render(edited_scene)
    assert (edit_region(source, edited) & masks[-1]).sum() >= 0.95 * masks[-1].sum()


def test_caption_names_what_is_seen() -> None:
    """A caption names the figures from left to right, their movement and change, and the ground."""
    star = Figure("star", "red", Motion(path=((0.5, 0.5), (0.9, 0.4))))
    square = Figure("square", "orange", Motion(path=((0.2, 0.9),)))
    scene = Scene((square, star), ground="green")
    assert caption(scene) == "an orange square and a red star moving to the right over a green ground"
    changed = replace(star, stripe_colour="white", late_colour="blue", flips=True, mark=Mark("ring", "black"))
    scene = replace_figure(scene, 1, changed)
    front = "a red star with white stripes with a black ring on it"
    assert caption(scene, with_motion=False) == f"an orange square and {front} over a green ground"
    assert f"{front} moving to the right that turns and becomes blue over" in caption(scene)


def test_a_filmed_scene_begins_as_the_still_one() -> None:
    """In the first frame the camera is at rest; then the ground and what stands on it go by, each at its own depth."""
    still = Figure("square", "gold", Motion(path=((0.7, 0.6),), radius=(0.15, 0.15)))
    mover = Figure("circle", "red", Motion(path=((0.2, 0.3), (0.4, 0.3)), radius=(0.15, 0.15)))
    scene = Scene(figures=(still, mover), num_frames=5)
    plain, plain_masks = render(scene)
    pan = replace(scene, camera=Camera(path=((0.0, 0.0), (0.25, 0.0))))  # 24 of 96 pixels to the right
    video, masks = render(pan)
    assert np.abs(video[0].astype(int) - plain[0]).mean() < 1, "but for what lies beyond the frame's edge"
    assert (masks[1] == plain_masks[1]).all(), "a mover's path is where it is seen"
    assert (masks[0, -1, :, :-24] == plain_masks[0, 0, :, 24:]).all(), "the still figure goes 24 pixels to the left"
    empty = render(replace(pan, figures=()))[0].astype(int)
    assert np.abs(empty[-1, :, :-24] - empty[0, :, 24:]).max() <= 2, "so does the ground"
    assert empty[-1, :, -24:].std() > 1, "and there is more ground where the frame ended"
    near = replace_figure(pan, 0, replace(still, depth=1.5))
    assert (render(near)[1][0, -1, :, :-36] == plain_masks[0, 0, :, 36:]).all()
    zoomed = render(replace(scene, camera=Camera(zoom=1.25)))[1]
    assert zoomed[0, -1].sum() > 1.4 * plain_masks[0, -1].sum() and zoomed[1, -1].sum() == plain_masks[1, -1].sum()
    shaken = render(replace(scene, camera=Camera(shake=0.05, shake_seed=3)))[1]
    assert (shaken[1, 0] == plain_masks[1, 0]).all() and (shaken[1, 2] != plain_masks[1, 2]).any()


def test_light_shadows_and_grain() -> None:
    """Things are brighter towards the light, on the ground and on figures, which throw a shadow to the other side."""
    figure = Figure("circle", "green", Motion(path=((0.5, 0.5),), radius=(0.2, 0.2)))
    scene = Scene(figures=(figure,), num_frames=2)
    plain = render(scene)[0].astype(int)
    from_left = Light(angle=180, slope=(0.2, 0.0), shading=0.3, shadow=0.4)
    lit, masks = render(replace(scene, light=from_left))
    change = (lit.astype(int) - plain).sum(-1)
    ground = ~masks[0, 0]
    assert change[0][:, :20][ground[:, :20]].mean() > 5 and change[0][:, -20:].mean() < -5
    assert abs(change[1][:, :20].mean()) < 1, "the light is even in the last frame"
    inside = np.where(masks[0, 1], change[1], 0)
    assert inside[:, :80].sum() > 0 > inside[:, 80:].sum()
    beside = change[1][48, 98:102]  # right of the circle's edge at 80 + 0.9 * 19.2
    assert beside.max() < -20, "in the shadow"
    grained = render(replace_figure(scene, 0, replace(figure, grain=10.0, grain_seed=1)))[0].astype(int) - plain
    assert np.abs(grained[0][masks[0, 0]]).max() > 5 and not grained[0][~masks[0, 0]][:40].any()


def test_filmed_scenes_are_two_of_three_to_train_on() -> None:
    """Held-out scenes of old numbers stand still, so that figures stay comparable; new numbers are filmed."""
    train = [number_scene("train", number) for number in range(90)]
    assert sum(scene.light != Light() or scene.camera != Camera() for scene in train) > 45
    assert sum(scene.camera != Camera() for scene in train) >= 30, "the camera moves in a third"
    assert all(number_scene("held_out", number).camera == Camera() for number in (0, 1_000_000, 3_000_007))
    filmed = [number_scene("held_out", number) for number in filmed_numbers(20)]
    assert sum(scene.camera != Camera() for scene in filmed) > 6
    assert all(scene.camera.path[0] == (0.0, 0.0) for scene in filmed)


def test_scenes_are_drawn_ahead_in_order() -> None:
    """Other processes draw them, as many ahead as are wanted; each comes with its task."""
    drawer = Drawer(2)
    tasks = [("train", range(first, first + 2), first % 4 == 0) for first in range(0, 12, 2)]
    drawn = list(drawer.draw(iter(tasks)))
    drawer.stop()
    assert [task for task, _ in drawn] == tasks
    for (_, numbers, is_portrait), (scenes, packed) in drawn:
        assert scenes == [number_scene("train", number, is_portrait) for number in numbers]
        assert len(packed["num_frames"]) == 2
