"""Seam, background jumps and first-frame drift: small cases worked out by hand."""

import numpy as np
import pytest

from lib.metrics.boundary import background_jump, first_frame_drift, seam


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random levels, (*shape, 3) uint8, that leave room for +-50."""
    return np.random.default_rng(seed).integers(50, 206, (*shape, 3)).astype(np.uint8)


def square_mask(frames: int = 1) -> np.ndarray:
    """The middle 2 x 2 pixels of 4 x 4: its edge has 8 pairs."""
    mask = np.zeros((frames, 4, 4), np.bool_)
    mask[:, 1:3, 1:3] = True
    return mask


def test_seam_is_the_step_that_the_source_does_not_have() -> None:
    """A region brighter by 10 than a textured source shows by 10 at its edge, darker as well; a copy by 0."""
    source, mask = noise(2, 4, 4), square_mask(2)
    output = source.copy()
    output[0][mask[0]] += 10
    output[1][mask[1]] -= 10
    assert seam(output, source, mask) == [10, 10]
    assert seam(source, source, mask) == [0, 0]


def test_seam_is_a_mean_over_pairs_and_channels() -> None:
    """One of the 8 pairs off by 24 in one channel of 3 is a mean of 1; a corner pixel has 2 pairs."""
    source = np.full((1, 4, 4, 3), 100, np.uint8)
    output = source.copy()
    output[0, 0, 1, 2] = 124  # above the square: in one pair with it
    assert seam(output, source, square_mask()) == [1]
    corner = np.zeros((1, 4, 4), np.bool_)
    corner[0, 0, 0] = True
    assert seam(output, source, corner) == [4], "24 in one channel, in one of two pairs"


def test_seam_misses_a_step_of_the_source_that_was_smoothed_away() -> None:
    """A source edge of 200 levels that lies on the mask's edge should be in the output, in its own direction."""
    source = np.full((3, 4, 4, 3), 20, np.uint8)
    source[:, :, 2:] = 220
    mask = np.zeros((3, 4, 4), np.bool_)
    mask[:, :, :2] = True
    output = np.stack([source[0], np.full_like(source[0], 120), source[0, :, ::-1]])
    assert seam(output, source, mask) == [0, 200, 400]


def test_seam_looks_only_across_the_edge() -> None:
    """Any change that is the same on both sides, or away from the edge, does not count; frames do not wrap."""
    source = noise(1, 6, 6)
    mask = np.zeros((1, 6, 6), np.bool_)
    mask[:, :, :3] = True
    output = source + 7
    output[:, :, [0, 1, 4, 5]] = noise(1, 6, 4, seed=1)
    assert seam(output, source, mask) == [0]
    output[:, :, 3] += 5
    assert seam(output, source, mask) == [5]


def test_seam_is_none_in_a_frame_without_an_edge() -> None:
    """An empty mask and one that fills the frame have no edge; the frame between them has."""
    source, mask = noise(3, 4, 4), square_mask(3)
    mask[0], mask[2] = False, True
    assert seam(source, source, mask) == [None, 0, None]


def test_background_jump_counts_what_the_source_does_not_do() -> None:
    """A background offset by 9 from frame 1 on jumps by 9 once, and by 9 back, however the source changes."""
    source, mask = noise(4, 4, 4), square_mask(4)
    output = source.copy()
    output[1:3] += 9
    assert background_jump(output, source, mask) == [None, 9, 0, 9]
    assert background_jump(source, source, mask) == [None, 0, 0, 0]


def test_background_jump_is_a_mean_over_background_and_channels() -> None:
    """One of 12 background pixels off by 36 in one channel of 3 is a mean of 1, up or down."""
    source, mask = np.full((3, 4, 4, 3), 100, np.uint8), square_mask(3)
    output = source.copy()
    output[1, 0, 0, 1] = 136
    assert background_jump(output, source, mask) == pytest.approx([None, 1, 1])


def test_background_jump_can_exceed_what_eight_bits_hold() -> None:
    """From black over white to white over black is a change of 510 levels, neither wrapped nor clipped."""
    source = np.zeros((2, 4, 4, 3), np.uint8)
    source[0] = 255
    assert background_jump(255 - source, source, square_mask(2)) == [None, 510]


def test_background_jump_leaves_out_the_region_of_both_frames() -> None:
    """What lies in the mask in one of the two frames is not compared: the edit may come and go there."""
    source, mask = noise(3, 4, 4), np.zeros((3, 4, 4), np.bool_)
    mask[1] = square_mask()[0]
    output = source.copy()
    output[mask] = 0
    assert background_jump(output, source, mask) == [None, 0, 0]
    assert background_jump(output, source, np.zeros_like(mask))[1:] != [0, 0]


def test_background_jump_is_none_where_the_masks_fill_the_frame() -> None:
    """Two halves that together fill the frame leave nothing to compare; the first frame has none before it."""
    source, mask = noise(3, 4, 4), np.zeros((3, 4, 4), np.bool_)
    mask[0, :2] = mask[1, 2:] = True
    assert background_jump(source, source, mask) == [None, None, 0]
    assert background_jump(source[:1], source[:1], mask[:1]) == [None]


def test_first_frame_drift_by_hand() -> None:
    """Outside the mask: one of 12 pixels off by 36 in one channel of 3 is a mean of 1, up or down."""
    source, plane = noise(4, 4), square_mask()[0]
    edited = source.copy()
    edited[plane] = 0
    assert first_frame_drift(edited, source, plane) == 0
    edited[0, 0, 0] += 36
    assert first_frame_drift(edited, source, plane) == pytest.approx(1)
    assert first_frame_drift(source, edited, plane) == pytest.approx(1)
    assert first_frame_drift(edited, source, np.ones_like(plane)) is None


def test_arrays_of_other_sizes_are_a_bug() -> None:
    """Shapes that do not fit fail loudly instead of broadcasting."""
    source, mask = noise(2, 4, 4), square_mask(2)
    for measure in (seam, background_jump):
        with pytest.raises(AssertionError):
            measure(source, source[:1], mask)
        with pytest.raises(AssertionError):
            measure(source, source, mask[:1])
    with pytest.raises(AssertionError):
        first_frame_drift(source[0], source[0], mask[0, :1])
