"""What stands on the ground moves as the ground does."""

import cv2
import numpy as np

from lib.masks.clip_motion import region_flows
from lib.masks.ground_motion import follow_ground
from tests.lib.masks.example_edits import (
    FRAMES,
    HEIGHT,
    WIDTH,
    moving_square,
    painted,
    texture,
)

RED = (210, 40, 40)


def test_what_stands_on_the_ground_follows_the_camera() -> None:
    """A place is kept while a square passes over it and the camera pans; a moving square is no such place."""
    wide = texture(HEIGHT, WIDTH + 40, 3)
    video = np.stack([wide[:, 3 * t : 3 * t + WIDTH] for t in range(FRAMES)])
    for index in range(3, 6):
        video[index] = painted(video[index], (70 + 12 * index - 60, 40, 110 + 12 * index - 60, 80), RED)
    flows, shot = region_flows(video), slice(0, FRAMES)
    region = np.zeros((HEIGHT, WIDTH), np.bool_)
    region[45:75, 80:110] = True
    boxes = follow_ground(video, 0, region, shot, flows)
    assert boxes is not None
    assert np.abs(boxes - [[80 - 3 * t, 45, 110 - 3 * t, 75] for t in range(FRAMES)]).max() < 3
    moving, places = moving_square(step=6)
    region = cv2.rectangle(np.zeros((HEIGHT, WIDTH), np.uint8), (22, 42), (47, 67), 1, -1) > 0
    assert places[0].tolist() == [20, 40, 50, 70]
    assert follow_ground(moving, 0, region, shot, region_flows(moving)) is None
