"""Which frames are used, and overlapping windows over a long clip."""

import pytest

from lib.video.windows import plan_windows, sample_indices, usable_frames


@pytest.mark.parametrize(
    ("num_frames", "window", "overlap", "expected"),
    [
        (49, 49, 5, [(0, 49)]),
        (93, 49, 5, [(0, 49), (44, 93)]),
        (101, 49, 5, [(0, 49), (44, 93), (52, 101)]),
        (9, 5, 1, [(0, 5), (4, 9)]),
    ],
)
def test_windows_cover_the_clip(num_frames: int, window: int, overlap: int, expected: list[tuple[int, int]]) -> None:
    """By hand: the last window is pushed back so that it ends with the clip."""
    assert plan_windows(num_frames, window, overlap) == expected


def test_every_overlap_fits_latent_frames() -> None:
    """If the lengths are 4N+1 so is each overlap, and no frame is left out."""
    for num_frames in range(17, 200, 4):
        windows = plan_windows(num_frames, 17, 5)
        assert windows[0][0] == 0 and windows[-1][1] == num_frames
        for (_, end), (start, _) in zip(windows, windows[1:], strict=False):
            assert (end - start) % 4 == 1 and end - start >= 5 and start % 4 == 0


def test_as_many_frames_are_used_as_windows_reach() -> None:
    """One window: always its own length. More: all frames of the clip, rounded down to 4N+1, up to the last window."""
    assert usable_frames(1000, 49, 5, 1, 4) == 49
    assert usable_frames(30, 49, 5, 1, 4) == 49, "a clip that is too short is told of elsewhere"
    assert usable_frames(100, 49, 5, 9, 4) == 97
    assert usable_frames(1000, 49, 5, 3, 4) == 49 + 2 * 44


def test_frames_are_consecutive_unless_a_stride_is_asked() -> None:
    """The whole clip is never squeezed into the model's length."""
    assert sample_indices(start=3, stride=1, num_frames=5) == [3, 4, 5, 6, 7]
    assert sample_indices(start=0, stride=3, num_frames=5) == [0, 3, 6, 9, 12]
