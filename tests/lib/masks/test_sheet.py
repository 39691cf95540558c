"""What people are shown of a mask."""

import numpy as np

from lib.masks.edit_mask import make_edit_mask
from lib.masks.sheet import draw_sheet, overlay
from tests.lib.masks.example_edits import FRAMES, HEIGHT, SETTINGS, WIDTH, moving_square, painted


def test_overlay_marks_the_region_alone() -> None:
    """Pixels outside the mask and its contour are the source's; inside, red is laid over them."""
    video, _ = moving_square()
    mask = np.zeros((FRAMES, HEIGHT, WIDTH), np.bool_)
    mask[:, 20:60, 20:60] = True
    shown, inside = overlay(video, mask), np.s_[:, 30:50, 30:50]
    assert (shown[:, 70:] == video[:, 70:]).all()
    assert (shown[inside] != video[inside]).any() and shown[inside][..., 1].mean() < video[inside][..., 1].mean()


def test_the_sheet_shows_edit_and_mask_with_their_judgement() -> None:
    """Tinted tiles below the text; a longer warning makes the sheet higher, not wider."""
    video, boxes = moving_square()
    pictures = {0: painted(video[0], boxes[0])}
    mask, facts = make_edit_mask(video, pictures[0], {}, [], SETTINGS)
    sheet = draw_sheet(video, pictures, 6.0, mask, facts)
    longer = draw_sheet(video, pictures, 6.0, mask, {**facts, "warnings": ["word " * 200]})
    assert sheet.dtype == np.uint8 and sheet.shape[1] == longer.shape[1] and sheet.shape[0] < longer.shape[0]
    reddish = (sheet[..., 0].astype(int) - sheet[..., 1]) > 100
    assert reddish.sum() > 1000
