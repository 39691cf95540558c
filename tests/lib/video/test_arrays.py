"""The two layouts of a video."""

import numpy as np

from lib.video.arrays import to_decoded_video, to_model_video


def test_model_video_round_trip_is_exact() -> None:
    """uint8 to [-1, 1] and back loses nothing; the layout is (1, 3, frames, height, width)."""
    video = np.random.default_rng(0).integers(0, 256, (5, 8, 12, 3), dtype=np.uint8)
    model_video = to_model_video(video)
    assert model_video.shape == (1, 3, 5, 8, 12)
    assert model_video.min() >= -1 and model_video.max() <= 1
    assert np.array_equal(to_decoded_video(model_video), video)
    assert np.array_equal(to_decoded_video(model_video * 3)[video > 200], np.full((video > 200).sum(), 255))
