"""The shapes of a mask: loose boxes, tight outlines, noisy ones."""

from dataclasses import replace

import numpy as np

from lib.masks.edit_mask import make_edit_mask
from lib.masks.region_paths import RegionPath
from lib.masks.shapes import Margin, draw_loose
from tests.lib.masks.example_edits import FRAMES, HEIGHT, SETTINGS, WIDTH, as_detections, holds, moving_square, painted

NONE = Margin(0, 0)


def test_boxes_are_widened_clipped_and_shared_by_a_latent_frame() -> None:
    """Margins by hand: 15 % of 100 pixels is 15, of 40 pixels less than the least margin of 8."""
    region = np.zeros((HEIGHT, WIDTH), np.bool_)
    region[60:100, 30:130] = True
    boxes = np.tile([30.0, 60, 130, 100], (FRAMES, 1))
    nothing = np.zeros(FRAMES, np.bool_)
    path = RegionPath(0, region, "optical_flow", [], 4000, boxes, boxes, nothing, 0.7)
    mask = draw_loose([path], (FRAMES, HEIGHT, WIDTH), Margin(0.15, 8), NONE, 4)
    assert np.argwhere(mask[3]).min(0).tolist() == [52, 15] and np.argwhere(mask[3]).max(0).tolist() == [107, 144]
    moving = replace(path, boxes=boxes + np.arange(FRAMES)[:, None] * [1, 0, 1, 0])
    mask = draw_loose([moving], (FRAMES, HEIGHT, WIDTH), Margin(0.15, 8), NONE, 4)
    assert (mask[1:5] == mask[1]).all() and (mask[5:9] == mask[5]).all()
    assert (mask[0] != mask[1]).any() and (mask[4] != mask[5]).any()
    elsewhere = replace(path, boxes=boxes - [0, 50, 0, 50], anchor=6)
    assert holds(draw_loose([elsewhere], (FRAMES, HEIGHT, WIDTH), NONE, NONE, 4)[6], (30, 60, 130, 100)), (
        "smoothed away"
    )
    wide = draw_loose([moving], (FRAMES, HEIGHT, WIDTH), Margin(0.15, 40), NONE, 4)
    assert wide[:, -1, 0].all() and not wide[:, 0].any(), "a margin that reaches beyond the frame ends at its border"


def test_whole_objects_have_a_margin_of_their_own_where_they_were_detected() -> None:
    """A detector's box of a whole object is sure; of a part, and where a path was filled in, the usual margin stays."""
    region = np.zeros((HEIGHT, WIDTH), np.bool_)
    region[60:100, 30:130] = True
    boxes = np.tile([30.0, 60, 130, 100], (FRAMES, 1))
    filled = np.arange(FRAMES) >= 5  # one latent frame of four
    path = RegionPath(0, region, "yolo_track", [], 4000, boxes, boxes, filled, 0.7)
    mask = draw_loose([path], (FRAMES, HEIGHT, WIDTH), Margin(0.15, 8), Margin(0.05, 2), 4)
    assert holds(mask[2], (25, 58, 135, 102)) and mask[2].sum() == 110 * 44
    assert mask[6].sum() == 130 * 56
    of_part = replace(path, method="yolo_part")
    part = draw_loose([of_part], (FRAMES, HEIGHT, WIDTH), Margin(0.15, 8), Margin(0.05, 2), 4)
    assert (part.sum(axis=(1, 2)) == 130 * 56).all()


def test_tight_and_noisy_masks_keep_the_outline() -> None:
    """Tight follows the edit's outline; noisy adds some cells along it, the same ones each time; box holds both."""
    video, boxes = moving_square()
    edited, detections = painted(video[0], boxes[0]), as_detections(boxes)
    masks = {
        shape: make_edit_mask(video, edited, {}, detections, replace(SETTINGS, shape=shape))[0]
        for shape in ("loose_box", "tight", "noisy", "whole_frame")
    }
    for plane, box in zip(masks["tight"], boxes, strict=True):
        assert holds(plane, box + [2, 2, -2, -2]) and plane.sum() <= 36 * 36
    assert (masks["tight"] & ~masks["noisy"]).sum() == 0 and masks["noisy"].sum() > 1.05 * masks["tight"].sum()
    assert (masks["noisy"] & ~masks["loose_box"]).sum() == 0
    assert masks["whole_frame"].all()
    again = make_edit_mask(video, edited, {}, detections, replace(SETTINGS, shape="noisy"))[0]
    assert (again == masks["noisy"]).all()
