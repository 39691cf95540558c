"""A region is followed by optical flow: along with its motion, not with what passes in front, and out of sight."""

import numpy as np

from lib.masks.boxes import Boxes
from lib.masks.clip_motion import region_flows
from lib.masks.region_flow import drift_by_flow, follow_by_flow
from lib.video.arrays import DecodedVideo, Mask
from tests.lib.masks.example_edits import HEIGHT, WIDTH, texture

NUM_FRAMES, SIDE, TOP = 15, 30, 40
BAR = 26  # pixels; the width of what passes in front
SPARE = 100  # pixels beyond the picture, on each side
SEEN = [*range(4), *range(10, NUM_FRAMES)]  # frames in which the bar is beside the square


def square_video(lefts: list[int], bar_lefts: list[int] | None = None) -> tuple[DecodedVideo, Boxes]:
    """Return a video (frames, height, width, 3) in which a textured square moves, and its boxes; a bar may pass it."""
    wide = np.repeat(texture(HEIGHT, WIDTH + 2 * SPARE, 0)[None], len(lefts), axis=0)
    square, bar = texture(SIDE, SIDE, 9) // 2 + [120, 0, 0], texture(HEIGHT, BAR, 5) // 2 + [0, 0, 120]
    for index, left in enumerate(lefts):
        wide[index, TOP : TOP + SIDE, SPARE + left : SPARE + left + SIDE] = square
        if bar_lefts is not None:
            wide[index, :, SPARE + bar_lefts[index] : SPARE + bar_lefts[index] + BAR] = bar
    boxes = np.array([[left, TOP, left + SIDE, TOP + SIDE] for left in lefts], np.float64)
    return np.ascontiguousarray(wide[:, :, SPARE:-SPARE]), boxes


def region_of(box: Boxes) -> Mask:
    """Return the region (height, width) of a box within the frame."""
    left, top, right, bottom = box.astype(int)
    region = np.zeros((HEIGHT, WIDTH), np.bool_)
    region[top:bottom, left:right] = True
    return region


def test_a_region_is_followed_both_ways() -> None:
    """From a frame in the middle to both ends, within two pixels."""
    video, boxes = square_video([20 + 4 * index for index in range(NUM_FRAMES)])
    flows = region_flows(video)
    for follow in (follow_by_flow, drift_by_flow):
        followed = follow(region_of(boxes[7]), 7, flows)
        assert np.array_equal(followed[7], boxes[7])
        assert np.abs(followed - boxes).max() < 2


def test_what_passes_in_front_does_not_take_the_region_along() -> None:
    """The square is found again where it stands; drifting with all motion loses it to the bar."""
    video, boxes = square_video([60] * NUM_FRAMES, bar_lefts=[-20 + 12 * index for index in range(NUM_FRAMES)])
    flows = region_flows(video)
    followed = follow_by_flow(region_of(boxes[0]), 0, flows)
    assert np.abs(followed[SEEN] - boxes[SEEN]).max() < 3
    assert np.isnan(followed[7]).all(), "all of it is behind the bar"
    drifted = drift_by_flow(region_of(boxes[0]), 0, flows)
    assert np.nanmax(np.abs(drifted - boxes)) > 60


def test_a_region_out_of_the_picture_is_lost() -> None:
    """Once nearly all of its points have left the frame there is no box, nor later."""
    video, boxes = square_video([20 - 6 * index for index in range(NUM_FRAMES)])
    flows = region_flows(video)
    for follow in (follow_by_flow, drift_by_flow):
        followed = follow(region_of(boxes[0]), 0, flows)
        assert np.abs(followed[:3] - boxes[:3]).max() < 2
        assert np.isnan(followed[9:]).all()


def test_a_region_that_changes_its_colour_is_not_seen() -> None:
    """Motion alone is not believed: what comes in the square's place without its colours is something else."""
    video, boxes = square_video([60] * NUM_FRAMES)
    video[8:, TOP : TOP + SIDE, 60 : 60 + SIDE] = texture(SIDE, SIDE, 9) // 2 + np.array([0, 0, 120])
    followed = follow_by_flow(region_of(boxes[0]), 0, region_flows(video))
    assert np.abs(followed[:8] - boxes[:8]).max() < 2
    assert np.isnan(followed[8:]).all()
