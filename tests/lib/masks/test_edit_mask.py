"""Masks hold what an edit changed, in every frame, and leave the rest alone."""

from dataclasses import replace

import numpy as np

from lib.masks.edit_mask import describe_user_mask, make_edit_mask, union_masks
from tests.lib.masks.example_edits import (
    FRAMES,
    HEIGHT,
    SETTINGS,
    WIDTH,
    as_detections,
    holds,
    moving_square,
    painted,
    texture,
)


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


def test_the_union_holds_each_mask_and_nothing_else() -> None:
    """Two boxes that overlap in a corner."""
    first, second = np.zeros((2, FRAMES, HEIGHT, WIDTH), np.bool_)
    first[:, 20:60, 20:60], second[:, 50:90, 50:90] = True, True
    joined = union_masks([first, second])
    assert (joined == (first | second)).all() and joined[0].sum() == 2 * 40 * 40 - 10 * 10
