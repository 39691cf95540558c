"""Masks of footage with noise, blur, shake and a codec's marks: made by code with known truth, and a camera's."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lib.masks.edit_mask import make_edit_mask
from lib.video.arrays import Mask
from lib.video.crops import apply_crop, plan_crop
from lib.video.images import read_image
from lib.video.reading import read_frames
from tests.filmed_clips import FilmedClip, runner, speaker, write_filmed_clip
from tests.lib.masks.example_edits import SETTINGS, holds

REAL_CLIPS = Path(__file__).parents[3] / "../shared/real_clips"
NUM_FRAMES = 25


def masked(clip: FilmedClip, folder: Path) -> tuple[Mask, Mask, dict[str, Any]]:
    """Return the true region of a clip that is filmed, the mask of it, and what is said of that."""
    region = write_filmed_clip(clip, folder)
    video, _ = read_frames(folder / clip.name / "source.mp4", list(range(NUM_FRAMES)))
    edit = folder / clip.name / "edits" / clip.edit
    references = {index: read_image(edit / f"references/{index:05d}.png") for index in clip.references}
    mask, facts = make_edit_mask(video, read_image(edit / "first_frame.png"), references, [], SETTINGS)
    return region, mask, facts


def test_a_small_part_of_a_swaying_speaker_is_followed(tmp_path: Path) -> None:
    """The tie is masked in every frame, with under a sixth of the picture: the speaker is not."""
    region, mask, facts = masked(speaker(NUM_FRAMES, reference=NUM_FRAMES - 1), tmp_path)
    assert facts["method"] == "optical_flow"
    assert (region & mask).sum() / region.sum() > 0.99
    assert max(facts["area_share"]) < 1 / 6
    assert [one["frame"] for one in facts["references_held"]] == [0, NUM_FRAMES - 1]
    assert all(one["share"] > 0.95 for one in facts["references_held"])


def test_a_runner_is_followed_while_it_grows(tmp_path: Path) -> None:
    """The box grows with the figure, holds it in every frame, and leaves the far side of the picture out."""
    region, mask, facts = masked(runner(NUM_FRAMES), tmp_path)
    assert facts["method"] == "optical_flow"
    held = (region & mask).sum(axis=(1, 2)) / region.sum(axis=(1, 2))
    assert held.min() > 0.97
    assert facts["area_share"][-1] > 1.4 * facts["area_share"][0]
    assert not mask[:, :, 260:].any()
    assert not any("outside the mask" in warning for warning in facts["warnings"]), "source and edit read alike"


def real_clip(name: str, width: int, height: int) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return 49 frames of a real clip and its edited frames, cropped to a size."""
    folder = REAL_CLIPS / name
    if not folder.exists():
        pytest.skip(f"the real clip '{name}' is not beside this checkout; clips made by code are tested above")
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
