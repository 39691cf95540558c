"""Cuts in a clip, and the shots between them."""

from lib.masks.clip_motion import region_flows
from lib.video.cuts import find_cuts, shot_of
from tests.lib.masks.example_edits import cut_video, moving_square


def test_a_cut_is_found_and_motion_is_none() -> None:
    """Another place is a cut; a square that moves is not."""
    video, _ = moving_square()
    assert find_cuts(video, region_flows(video).backward) == []
    video = cut_video(5)
    assert find_cuts(video, region_flows(video).backward) == [5]
    assert find_cuts(video[:1], []) == []


def test_shots_end_at_cuts() -> None:
    """A shot runs from one cut to the next."""
    assert [shot_of(frame, [3, 6], 9) for frame in (0, 2, 3, 8)] == [slice(0, 3), slice(0, 3), slice(3, 6), slice(6, 9)]
