"""Masks hold what an edit changed, in every frame, and leave the rest alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lib.masks.boxes import smooth_path
from lib.masks.clip_motion import region_flows
from lib.masks.differences import edit_difference
from lib.masks.edit_mask import MaskSettings, describe_user_mask, make_edit_mask, union_masks
from lib.masks.facts import describe_mask
from lib.masks.object_links import Detection
from lib.masks.region_paths import METHODS, LinkedObject, RegionPath, choose_objects, path_by_flow
from lib.masks.shapes import draw_loose
from lib.masks.sheet import overlay
from lib.video.crops import apply_crop, plan_crop
from lib.video.reading import read_frames

HEIGHT, WIDTH, FRAMES = 120, 160, 9
REAL_CLIPS = Path(__file__).parents[3] / "../shared/real_clips"
SETTINGS = MaskSettings(
    methods=METHODS,
    shape="loose_box",
    margin=0.15,
    min_margin=16,
    smoothing=2,
    difference_threshold=6.0,
    global_share=0.65,
    min_confidence=0.5,
    frame_stride=4,
)


def texture(height: int, width: int, seed: int) -> np.ndarray:
    """Return a soft random picture (height, width, 3) uint8 around mid-grey."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width, 3))
    return np.clip(128 + 60 * cv2.GaussianBlur(noise, (0, 0), 2) * 4, 0, 255).astype(np.uint8)


def moving_square(step: int = 4, side: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Return a video of a textured square that moves right, and its boxes (frames, 4)."""
    video = np.repeat(texture(HEIGHT, WIDTH, 0)[None], FRAMES, axis=0)
    boxes = np.array([[20 + step * t, 40, 20 + side + step * t, 40 + side] for t in range(FRAMES)], np.float64)
    for picture, (left, top, right, bottom) in zip(video, boxes.astype(int), strict=True):
        picture[top:bottom, left:right] = texture(side, side, 1)
    return video, boxes


def painted(picture: np.ndarray, box: Any, colour: tuple[int, int, int] = (230, 30, 30)) -> np.ndarray:
    """Return a copy with a box (left, top, right, bottom) filled."""
    left, top, right, bottom = (int(edge) for edge in box)
    edited = picture.copy()
    edited[top:bottom, left:right] = colour
    return edited


def as_detections(boxes: np.ndarray, name: str = "thing") -> list[Detection]:
    """Return what the detector gives for one object with boxes (frames, 4), NaN where it is missed."""
    return [Detection(index, name, box, 1.0) for index, box in enumerate(boxes) if not np.isnan(box[0])]


def holds(mask: np.ndarray, box: Any) -> bool:
    """Tell whether a plane is True throughout a box."""
    left, top, right, bottom = (int(edge) for edge in box)
    return bool(mask[top:bottom, left:right].all())


def test_difference_is_the_painted_box() -> None:
    """A painted square is found to within the blur."""
    source = texture(HEIGHT, WIDTH, 0)
    found = edit_difference(source, painted(source, (50, 30, 90, 70)), 6.0)
    assert holds(found, (52, 32, 88, 68))
    assert found.sum() <= 46 * 46


@pytest.mark.parametrize("disturb", ["nothing", "gain", "shift", "noise", "jpeg"])
def test_what_tools_change_by_the_way_is_no_edit(disturb: str) -> None:
    """Gain and bias, a shifted picture and noise do not widen the difference."""
    source = texture(HEIGHT, WIDTH, 0)
    edited = painted(source, (50, 30, 90, 70)).astype(np.float64)
    if disturb == "gain":
        edited = edited * 1.06 + 4
    elif disturb == "shift":
        edited = np.roll(edited, (1, -2), axis=(0, 1))
    elif disturb == "noise":
        edited += np.random.default_rng(5).normal(0, 6, edited.shape)
    elif disturb == "jpeg":
        coded = cv2.imencode(".jpg", edited.astype(np.uint8)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        edited = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float64)
    found = edit_difference(source, np.clip(edited, 0, 255).round().astype(np.uint8), 6.0)
    assert holds(found, (54, 34, 86, 66))
    assert found.sum() <= 48 * 48


def test_colours_decoded_with_the_other_matrix_are_no_edit() -> None:
    """A picture coded by BT.601 and decoded by BT.709 differs in every colour, and shows the same."""
    colours = [(180, 90, 60), (70, 170, 80), (60, 90, 190), (190, 180, 70), (120, 120, 120), (170, 80, 170)]
    source = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for number, colour in enumerate(colours):
        source[60 * (number % 2) : 60 * (number % 2) + 60, 53 * (number // 2) : 53 * (number // 2) + 54] = colour
    luma = source @ np.array([0.299, 0.587, 0.114])
    red = luma + 1.5748 * (source[..., 0] - luma) / 1.402
    blue = luma + 1.8556 * (source[..., 2] - luma) / 1.772
    green = (luma - 0.2126 * red - 0.0722 * blue) / 0.7152
    edited = np.clip(np.stack([red, green, blue], axis=-1), 0, 255).round().astype(np.uint8)
    assert np.abs(edited.astype(int) - source).max() >= 15
    assert not edit_difference(source, edited, 6.0).any()


def test_a_weak_edit_beside_a_strong_one_is_found() -> None:
    """The threshold parts edits from noise, not the strong edit from the weak one."""
    source = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    edited = painted(painted(source, (10, 10, 50, 50), (0, 255, 0)), (100, 60, 140, 100), (150, 120, 110))
    found = edit_difference(source, edited, 6.0)
    assert holds(found, (12, 12, 48, 48)) and holds(found, (104, 64, 136, 96))


def test_specks_are_dropped() -> None:
    """A change of a few pixels is no edit."""
    source = texture(HEIGHT, WIDTH, 0)
    assert not edit_difference(source, painted(source, (50, 30, 52, 32)), 6.0).any()


def test_an_edit_without_a_difference_gives_an_empty_mask() -> None:
    """The caller can tell from an empty mask and the method that nothing was edited."""
    video, boxes = moving_square()
    mask, facts = make_edit_mask(video, video[0].copy(), {}, as_detections(boxes), SETTINGS)
    assert not mask.any()
    assert facts["method"] == "none" and facts["confidence"] == 0 and facts["warnings"]


def test_a_darkened_picture_masks_the_whole_frame() -> None:
    """An edit of nearly everything masks everything and says so."""
    video, _ = moving_square()
    mask, facts = make_edit_mask(video, (video[0] * 0.5).astype(np.uint8), {}, [], SETTINGS)
    assert mask.all()
    assert facts["method"] == "whole_frame"


def test_the_mask_follows_the_track_of_the_edited_object() -> None:
    """An object that is wholly repainted is masked along its track, not along another's."""
    video, boxes = moving_square()
    other = np.tile([120.0, 80, 150, 110], (FRAMES, 1))
    detections = as_detections(other) + as_detections(boxes, "square")
    mask, facts = make_edit_mask(video, painted(video[0], boxes[0]), {}, detections, SETTINGS)
    assert all(holds(plane, box) for plane, box in zip(mask, boxes, strict=True))
    assert not mask[:, 85:, 120:].any()
    assert facts["method"] == "yolo_track" and facts["regions"][0]["tracks"] == [{"class": "square", "frames": 9}]
    assert facts["coverage"] > 0.95 and facts["gap_frames"] == 0


def test_several_tracks_are_taken_where_one_does_not_cover_the_edit() -> None:
    """A region over two objects takes both; a large box around everything is not preferred."""
    region = np.zeros((HEIGHT, WIDTH), np.bool_)
    region[40:60, 20:100] = True
    left, right, table = ([20, 40, 60, 60], [60, 40, 100, 60], [0, 0, 160, 120])
    boxes = [np.array([box], np.float64) for box in (table, left, right)]
    objects = [LinkedObject(name, box, box) for name, box in zip(("table", "left", "right"), boxes, strict=True)]
    assert [one.class_name for one in choose_objects(region, 0, objects[1:])] == ["left", "right"]
    region[:, 60:] = False
    assert [one.class_name for one in choose_objects(region, 0, objects)] == ["left"]
    assert choose_objects(region, 0, [objects[2]]) == []


def test_a_part_is_carried_in_the_coordinates_of_its_object() -> None:
    """A mark on an object moves and grows with the object's box, and the whole object is not masked."""
    video, _ = moving_square()
    boxes = np.array([[20 + 3 * t, 10, 100 + 4 * t, 110] for t in range(FRAMES)], np.float64)
    mark = (50, 30, 66, 45)
    mask, facts = make_edit_mask(video, painted(video[0], mark), {}, as_detections(boxes, "man"), SETTINGS)
    assert facts["method"] == "yolo_part"
    origin, size = boxes[-1, :2], boxes[-1, 2:] - boxes[-1, :2]
    expected = (np.array(mark).reshape(2, 2) - boxes[0, :2]) / (boxes[0, 2:] - boxes[0, :2]) * size + origin
    assert holds(mask[-1], expected.ravel())
    assert mask[-1].mean() < 0.12


def test_without_a_track_the_region_follows_the_flow() -> None:
    """A repainted object that no detector knows is followed by its motion."""
    video, boxes = moving_square(step=3)
    mask, facts = make_edit_mask(video, painted(video[0], boxes[0]), {}, [], SETTINGS)
    assert facts["method"] == "optical_flow" and facts["warnings"]
    assert all(holds(plane, box) for plane, box in zip(mask, boxes, strict=True))
    assert not mask[-1, :, :14].any(), "the mask has left the place where the object was"


def test_a_region_that_balloons_is_trusted_less() -> None:
    """Optical flow that stretches a region sixfold is believed half as much as one that keeps its size."""
    mask = np.zeros((FRAMES, HEIGHT, WIDTH), np.bool_)
    mask[:, 10:20, 10:20] = True
    boxes = np.tile([10.0, 10, 20, 20], (FRAMES, 1))
    grown = boxes + np.linspace(0, 50, FRAMES)[:, None] * [0, 0, 1, 0]
    flows = region_flows(np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8))
    paths = [path_by_flow(mask[0], 0, followed, flows) for followed in (boxes, grown)]
    outside = {"mean_delta_e": 0.0, "changed_share": 0.0}
    before, after = (
        describe_mask("optical_flow", mask, {0: mask[0]}, [path], [], outside, min_confidence=0.5) for path in paths
    )
    assert (before["growth"], after["growth"]) == (1, 6)
    assert (before["confidence"], after["confidence"]) == (0.7, 0.35)
    assert (before["needs_a_look"], after["needs_a_look"]) == (False, True)
    assert len(after["warnings"]) == len(before["warnings"]) + 2 and "6.0-fold" in after["warnings"][-1]


def test_an_added_object_stays_on_a_still_ground() -> None:
    """Where the source shows nothing, the region stays with the ground under it."""
    video = np.repeat(texture(HEIGHT, WIDTH, 3)[None], FRAMES, axis=0)
    mask, _ = make_edit_mask(video, painted(video[0], (100, 60, 130, 90)), {}, [], SETTINGS)
    assert (mask == mask[0]).all() and holds(mask[0], (100, 60, 130, 90))


def test_a_change_in_a_reference_is_always_masked() -> None:
    """What a reference changes elsewhere than frame 0 is in the mask of its frame and its latent frame."""
    video, boxes = moving_square()
    references = {6: painted(video[6], (100, 5, 125, 25))}
    mask, facts = make_edit_mask(video, painted(video[0], boxes[0]), references, as_detections(boxes), SETTINGS)
    assert all(holds(mask[index], (100, 5, 125, 25)) for index in (5, 6, 7, 8))
    held = {one["frame"]: one["share"] for one in facts["references_held"]}
    assert held[6] == 0 and any("Frame 6" in warning for warning in facts["warnings"])


def test_a_reference_takes_over_from_the_frames_before_it() -> None:
    """After a reference that shows the same region smaller, the region of frame 0 no longer counts."""
    video = np.repeat(texture(HEIGHT, WIDTH, 3)[None], FRAMES, axis=0)
    references = {4: painted(video[4], (60, 40, 80, 60))}
    mask, facts = make_edit_mask(video, painted(video[0], (60, 40, 100, 80)), references, [], SETTINGS)
    assert mask[4, 75, 95] and not mask[8, 75, 95]
    assert holds(mask[8], (60, 40, 80, 60))
    assert [region["frame"] for region in facts["regions"]] == [0, 4]


def test_an_edit_of_most_of_an_object_masks_all_of_it() -> None:
    """From 40 % of the object's box on, the mask is the object's and not the changed region's."""
    video, boxes = moving_square()
    left, top, right, bottom = boxes[0]
    edited = painted(video[0], (left, top, right, bottom - 10))
    mask, facts = make_edit_mask(video, edited, {}, as_detections(boxes), replace(SETTINGS, min_margin=0, margin=0))
    assert facts["method"] == "yolo_track"
    assert all(holds(plane, box) for plane, box in zip(mask, boxes, strict=True))


def test_smoothing_drops_a_jump_and_keeps_up_with_motion() -> None:
    """One stray box vanishes, and a fast object stays inside its smoothed boxes."""
    boxes = np.array([[10.0 * t, 0, 10 * t + 20, 20] for t in range(9)])
    smooth = smooth_path(boxes, 2)
    assert (smooth[:, :2] <= boxes[:, :2]).all() and (smooth[:, 2:] >= boxes[:, 2:]).all()
    still = np.tile([50.0, 50, 60, 60], (9, 1))
    still[4] = [0, 0, 160, 120]
    assert (smooth_path(still, 2) == [50, 50, 60, 60]).all()


def test_boxes_are_widened_clipped_and_shared_by_a_latent_frame() -> None:
    """Margins by hand: 15 % of 100 pixels is 15, of 40 pixels less than the least margin of 8."""
    region = np.zeros((HEIGHT, WIDTH), np.bool_)
    region[60:100, 30:130] = True
    boxes = np.tile([30.0, 60, 130, 100], (FRAMES, 1))
    nothing = np.zeros(FRAMES, np.bool_)
    path = RegionPath(0, region, "optical_flow", [], 4000, boxes, boxes, nothing, 0.7)
    mask = draw_loose([path], (FRAMES, HEIGHT, WIDTH), 0.15, 8, 4)
    assert np.argwhere(mask[3]).min(0).tolist() == [52, 15] and np.argwhere(mask[3]).max(0).tolist() == [107, 144]
    moving = replace(path, boxes=boxes + np.arange(FRAMES)[:, None] * [1, 0, 1, 0])
    mask = draw_loose([moving], (FRAMES, HEIGHT, WIDTH), 0.15, 8, 4)
    assert (mask[1:5] == mask[1]).all() and (mask[5:9] == mask[5]).all()
    assert (mask[0] != mask[1]).any() and (mask[4] != mask[5]).any()
    elsewhere = replace(path, boxes=boxes - [0, 50, 0, 50], anchor=6)
    assert holds(draw_loose([elsewhere], (FRAMES, HEIGHT, WIDTH), 0, 0, 4)[6], (30, 60, 130, 100)), "smoothed away"
    wide = draw_loose([moving], (FRAMES, HEIGHT, WIDTH), 0.15, 40, 4)
    assert wide[:, -1, 0].all() and not wide[:, 0].any(), "a margin that reaches beyond the frame ends at its border"


def test_a_single_frame_can_be_masked() -> None:
    """A video of one frame has no motion and still gets its mask."""
    video, boxes = moving_square()
    mask, _ = make_edit_mask(video[:1], painted(video[0], boxes[0]), {}, [], SETTINGS)
    assert mask.shape == (1, HEIGHT, WIDTH) and holds(mask[0], boxes[0])


def test_a_change_of_colour_outside_the_mask_is_reported() -> None:
    """An edited frame of other colours than the source's gets a warning."""
    video, boxes = moving_square()
    clean = make_edit_mask(video, painted(video[0], boxes[0]), {}, as_detections(boxes), SETTINGS)[1]
    tinted = np.clip(painted(video[0], boxes[0]) * [1.08, 1, 0.92] + 3, 0, 255).astype(np.uint8)
    facts = make_edit_mask(video, tinted, {}, as_detections(boxes), SETTINGS)[1]
    assert clean["outside"]["mean_delta_e"] < 0.1 and clean["warnings"] == []
    assert facts["outside"]["mean_delta_e"] > 3 and "outside the mask" in facts["warnings"][-1]
    assert facts["method"] == "yolo_track"


def test_a_users_mask_is_judged_by_the_edit() -> None:
    """A mask that misses the edit is described as the user's, with a low coverage."""
    video, boxes = moving_square()
    mask = np.zeros((FRAMES, HEIGHT, WIDTH), np.bool_)
    mask[:, :, 100:] = True
    facts = describe_user_mask(mask, video, painted(video[0], boxes[0]), {}, SETTINGS)
    assert facts["method"] == "user" and facts["coverage"] == 0
    assert any("given mask" in warning for warning in facts["warnings"])


def test_overlay_marks_the_region_alone_and_union_joins() -> None:
    """Pixels outside the mask and its contour are the source's; the union holds each mask."""
    video, _ = moving_square()
    first, second = np.zeros((2, FRAMES, HEIGHT, WIDTH), np.bool_)
    first[:, 20:60, 20:60], second[:, 50:90, 50:90] = True, True
    shown = overlay(video, first)
    inside = np.s_[:, 30:50, 30:50]
    assert (shown[:, 70:] == video[:, 70:]).all()
    assert (shown[inside] != video[inside]).any() and shown[inside][..., 1].mean() < video[inside][..., 1].mean()
    assert (union_masks([first, second]) == (first | second)).all()


def real_clip(name: str, width: int, height: int) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return 49 frames of a real clip and its edited frames, cropped to a size."""
    folder = REAL_CLIPS / name
    if not folder.exists():
        pytest.skip(f"real clip '{name}' is not beside this checkout")
    video, _ = read_frames(folder / "source.mp4", list(range(49)))
    crop = plan_crop(*video.shape[1:3], width, height)
    (edit,) = (folder / "edits").iterdir()
    paths = {0: edit / "first_frame.png"} | {int(path.stem): path for path in edit.glob("references/*.png")}
    pictures = {index: apply_crop(cv2.imread(str(path))[..., ::-1], crop) for index, path in paths.items()}
    return np.stack([apply_crop(picture, crop) for picture in video]), pictures


@pytest.mark.parametrize("size", [(160, 128), (416, 240)])
def test_the_bow_tie_stays_in_the_mask_and_the_man_does_not(size: tuple[int, int]) -> None:
    """Carphone: the red tie is masked in all 49 frames, with under a sixth of the frame."""
    video, pictures = real_clip("carphone", *size)
    mask, facts = make_edit_mask(video, pictures.pop(0), pictures, [], SETTINGS)
    red, green, blue = np.moveaxis(video.astype(int), -1, 0)
    tie = (red > 60) & (red > 2.2 * green) & (red > 2.2 * blue)
    tie[:, : int(0.6 * size[1])] = False
    assert (tie & mask).sum() / tie.sum() > 0.99
    assert max(facts["area_share"]) < 1 / 6
    assert all(one["share"] > 0.95 for one in facts["references_held"])


def test_the_rabbit_is_followed_while_it_grows() -> None:
    """Bunny: the box grows with the rabbit, holds its belly and head at the end, and leaves the rocks out."""
    video, pictures = real_clip("bunny", 416, 240)
    mask, facts = make_edit_mask(video, pictures[0], {}, [], SETTINGS)
    assert facts["area_share"][-1] > 2 * facts["area_share"][0]
    assert holds(mask[-1], (85, 70, 140, 210)), "belly and head"
    assert not mask[:, :, 280:].any(), "rocks and sky"
    assert not any("outside the mask" in warning for warning in facts["warnings"]), "source and edit read alike"
