"""Of a video with fewer frames than its clip, only what its own frames show is counted."""

import pytest

from lib.metrics.rows import keep_own


def test_frames_that_are_only_still_shown_do_not_count() -> None:
    """A metric of a frame counts at the video's own frames; one of two neighbours in a video that ends early alone."""
    values = [float(index) for index in range(6)]
    metrics = {"per_frame": {"background_psnr": values, "warp_error": [None, *values[1:]]}, "mean": {}}
    sparse = keep_own(metrics, [True, True, False, True, True, False])
    assert sparse["per_frame"] == {"background_psnr": [0.0, 1.0, None, 3.0, 4.0, None], "warp_error": [None] * 6}
    assert sparse["mean"] == {"background_psnr": pytest.approx(2.0), "warp_error": None}
    short = keep_own(metrics, [True, True, True, False, False, False])
    assert short["per_frame"]["warp_error"] == [None, 1.0, 2.0, None, None, None]
    assert short["mean"] == {"background_psnr": pytest.approx(1.0), "warp_error": pytest.approx(1.5)}


def test_a_video_of_as_many_frames_is_as_it_was() -> None:
    """Ours, in other words; where no two neighbours are its own, motion has no value."""
    per_frame = {"clip_score": [1.0, 0.5], "warp_error": [None, 2.0]}
    metrics = {"per_frame": per_frame, "mean": {"clip_score": 0.75, "warp_error": 2.0}}
    assert keep_own(metrics, [True, True]) == metrics
    assert keep_own(metrics, [True, False])["mean"] == {"clip_score": 1.0, "warp_error": None}
