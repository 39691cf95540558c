"""What the workflow would read of a scene: the source after H.264, the edited frames as an image tool saved them."""

import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from demo.make_clips import write_source
from demo.mask_evaluation.cases import MaskScene, Video
from demo.world.colour_drift import drift_colours
from demo.world.random_scenes import SPLITS
from lib.video.arrays import Picture
from lib.video.extraction import extract_frames

DISTURBANCES = ("none", "shift", "jpeg", "gain")
STREAM = 200  # of the random numbers; demo.mask_evaluation.cases has lower ones
MOST_SHIFTED = 2  # pixels
JPEG_QUALITY = 85
MOST_GAIN, MOST_BIAS = 0.05, 12.75  # about 1; levels of 255
FPS = 24


def read_source(scene: MaskScene) -> Video:
    """Send a source video through H.264, as a camera and the workflow would."""
    frames, height, width, _ = scene.source.shape
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "source.mp4"
        write_source(path, scene.source, FPS, None)
        video, _, _ = extract_frames(path, frames, width, height, start=0, stride=1)
    return video


def edited_frames(scene: MaskScene, disturb: bool) -> tuple[str, dict[int, Picture]]:
    """Return the given edited frames, by their position, after the disturbance that is named too.

    Args:
        scene: its number chooses one of DISTURBANCES.
        disturb: False = leave the frames as they were rendered.
    """
    generator = np.random.default_rng((SPLITS["held_out"], scene.number, STREAM))
    name = str(generator.choice(DISTURBANCES)) if disturb else "none"
    given = (0, *scene.references)
    return name, {frame: disturb_picture(name, scene.edited[frame], generator) for frame in given}


def disturb_picture(name: str, picture: Picture, generator: np.random.Generator) -> Picture:
    """Change a picture in the way image tools change all of it, by the name of one of DISTURBANCES."""
    if name == "shift":
        return _shift(picture, generator)
    if name == "jpeg":
        saved = BytesIO()
        Image.fromarray(picture).save(saved, "JPEG", quality=JPEG_QUALITY)
        return np.asarray(Image.open(saved))
    if name == "gain":
        return drift_colours(picture, generator, MOST_GAIN, MOST_BIAS)
    return picture


def _shift(picture: Picture, generator: np.random.Generator) -> Picture:
    """Move a picture by one or two pixels in some direction; its border is repeated."""
    height, width, _ = picture.shape
    right, down = 0, 0
    while (right, down) == (0, 0):
        right, down = (int(step) for step in generator.integers(-MOST_SHIFTED, MOST_SHIFTED + 1, 2))
    rows, columns = (np.arange(height) - down).clip(0, height - 1), (np.arange(width) - right).clip(0, width - 1)
    return picture[rows][:, columns]
