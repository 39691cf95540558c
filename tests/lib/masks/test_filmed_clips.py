"""Masks of real footage, which lies beside this checkout and not in it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from lib.masks.edit_mask import make_edit_mask
from lib.video.crops import apply_crop, plan_crop
from lib.video.reading import read_frames
from tests.lib.masks.example_edits import SETTINGS, holds

REAL_CLIPS = Path(__file__).parents[3] / "../shared/real_clips"


def real_clip(name: str, width: int, height: int) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return 49 frames of a real clip and its edited frames, cropped to a size."""
    folder = REAL_CLIPS / name
    if not folder.exists():
        pytest.skip(f"real clip '{name}' is not beside this checkout")
    video, _ = read_frames(folder / "source.mp4", list(range(49)))
    crop = plan_crop(*video.shape[1:3], width, height)
    (edit,) = (folder / "edits").iterdir()
    paths = {0: edit / "first_frame.png"} | {int(path.stem): path for path in edit.glob("references/*.png")}
    pictures = {index: apply_crop(cv2.imread(str(path))[..., ::-1], crop) for index, path in paths.items()}
    return np.stack([apply_crop(picture, crop) for picture in video]), pictures


@pytest.mark.parametrize("size", [(160, 128), (416, 240)])
def test_the_bow_tie_stays_in_the_mask_and_the_man_does_not(size: tuple[int, int]) -> None:
    """Carphone: the red tie is masked in all 49 frames, with under a sixth of the frame."""
    video, pictures = real_clip("carphone", *size)
    mask, facts = make_edit_mask(video, pictures.pop(0), pictures, [], SETTINGS)
    red, green, blue = np.moveaxis(video.astype(int), -1, 0)
    tie = (red > 60) & (red > 2.2 * green) & (red > 2.2 * blue)
    tie[:, : int(0.6 * size[1])] = False
    assert (tie & mask).sum() / tie.sum() > 0.99
    assert max(facts["area_share"]) < 1 / 6
    assert all(one["share"] > 0.95 for one in facts["references_held"])


def test_the_rabbit_is_followed_while_it_grows() -> None:
    """Bunny: the box grows with the rabbit, holds its belly and head at the end, and leaves the rocks out."""
    video, pictures = real_clip("bunny", 416, 240)
    mask, facts = make_edit_mask(video, pictures[0], {}, [], SETTINGS)
    assert facts["area_share"][-1] > 2 * facts["area_share"][0]
    assert holds(mask[-1], (85, 70, 140, 210)), "belly and head"
    assert not mask[:, :, 280:].any(), "rocks and sky"
    assert not any("outside the mask" in warning for warning in facts["warnings"]), "source and edit read alike"
