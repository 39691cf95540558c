"""A user's own masks in the workflow: images and a video say the same, and override the automatic ones."""

from pathlib import Path

import numpy as np

from lib.core.files import read_json
from lib.video.arrays import DecodedVideo
from lib.video.images import write_image
from lib.video.reading import read_mask
from lib.video.writing import write_viewable
from tests.workflow.project import copy_project, run_snakemake, write_settings

WIDTH, HEIGHT, NUM_FRAMES = 160, 96, 9


def white_box(num_frames: int) -> DecodedVideo:
    """A white box on black, moving to the right: (frames, height, width, 3) uint8."""
    mask = np.zeros((num_frames, HEIGHT, WIDTH, 3), np.uint8)
    for index, picture in enumerate(mask):
        picture[32:64, 16 + 8 * index : 48 + 8 * index] = 255
    return mask


def test_masks_as_images_and_as_a_video_are_one(tmp_path: Path) -> None:
    """Both give the very mask the user drew, at the frames of the run, whatever the edit changed."""
    project = copy_project(tmp_path)
    settings = {"num_frames": 5, "width": WIDTH, "height": HEIGHT, "start": 2}
    write_settings(project, {"clips": "clips", "video": settings})
    mask, rng = white_box(NUM_FRAMES), np.random.default_rng(0)
    edits = project / "clips" / "scene" / "edits"
    for name in ("images", "video"):
        (edits / name).mkdir(parents=True)
        write_image(edits / name / "first_frame.png", rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))
    times = [index / 12 for index in range(NUM_FRAMES)]
    write_viewable(edits.parent / "source.mp4", np.full_like(mask, 90), times, 15)
    write_viewable(edits / "video" / "mask.mp4", mask, times, 15)
    for index in range(2, 7):
        write_image(edits / "images" / "mask" / f"{index}.png", mask[index])
    made = {name: Path("results") / "scene" / name / "edit_mask.mkv" for name in ("images", "video")}
    answer = run_snakemake(project, "--cores", "1", *map(str, made.values()))
    assert answer.returncode == 0, answer.stdout
    for path in made.values():
        assert (read_mask(project / path) == (mask[2:7, ..., 0] > 0)).all()
        facts = read_json(project / path.with_suffix(".json"))
        assert facts["method"] == "user"
