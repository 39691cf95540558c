"""Masks and pseudo-videos, checked against cases small enough to work out by hand."""

import numpy as np
import pytest
import torch

from lib.diffusion.conditioning import make_keep_mask, make_reference_keep_mask
from lib.models.latent_cells import reduce_to_cells
from lib.models.wan.mask_channels import pack_keep_mask


def _edit_mask(frames: int, pixels: list[tuple[int, int, int]], size: int = 16) -> np.ndarray:
    mask = np.zeros((frames, size, size), bool)
    for frame, row, column in pixels:
        mask[frame, row, column] = True
    return mask


def test_first_frame_is_kept_and_edit_region_regenerated() -> None:
    """Frame 0 is kept whole even where the edit is; later frames lose just the edit region."""
    keep_mask = make_keep_mask("edit", _edit_mask(5, [(0, 3, 3), (2, 3, 3)]), frame_stride=4)
    assert keep_mask[0, 0, 0].min() == 1
    assert keep_mask[0, 0, 2, 3, 3] == 0
    assert keep_mask[0, 0, 1:].sum() == 4 * (16 * 16 - 1)


def test_region_that_moves_within_a_latent_frame_is_united() -> None:
    """A box at three places in frames 1 to 4 is regenerated at all three in all of them, and not in frame 5."""
    places = [(1, 0, 0), (2, 5, 5), (4, 9, 9), (5, 12, 12)]
    keep_mask = make_keep_mask("edit", _edit_mask(9, places), frame_stride=4)
    for frame in range(1, 5):
        assert [keep_mask[0, 0, frame, row, row].item() for row in (0, 5, 9, 12)] == [0, 0, 0, 1]
    for frame in range(5, 9):
        assert [keep_mask[0, 0, frame, row, row].item() for row in (0, 5, 9, 12)] == [1, 1, 1, 0]


@pytest.mark.parametrize(("kind", "total"), [("first_frame", 256), ("all_ones", 5 * 256), ("all_zeros", 0)])
def test_other_kinds_ignore_the_edit_region(kind: str, total: int) -> None:
    """first_frame keeps frame 0 only; all_ones keeps everything; all_zeros nothing."""
    assert make_keep_mask(kind, _edit_mask(5, [(2, 3, 3)]), frame_stride=4).sum() == total


def test_one_edited_pixel_regenerates_its_whole_cell() -> None:
    """A latent cell is regenerated if any of its 64 pixels is, not only a sampled one."""
    cells = reduce_to_cells(make_keep_mask("edit", _edit_mask(5, [(1, 7, 8)]), frame_stride=4), cell_size=8)
    assert cells.shape == (1, 1, 5, 2, 2)
    assert cells[0, 0, 1].tolist() == [[1, 0], [1, 1]]


def test_packing_repeats_frame_0_and_folds_frames_to_channels() -> None:
    """Frames 0,0,0,0 | 1,2,3,4 become the four channels of latent frames 0 and 1."""
    keep_mask = torch.zeros(1, 1, 5, 8, 8)
    for frame, value in enumerate([1, 0, 1, 0, 1]):
        keep_mask[:, :, frame] = value
    packed = pack_keep_mask(keep_mask, cell_size=8, frame_stride=4)
    assert packed.shape == (1, 4, 2, 1, 1)
    assert packed[0, :, 0, 0, 0].tolist() == [1, 1, 1, 1]
    assert packed[0, :, 1, 0, 0].tolist() == [0, 1, 0, 1]


def test_a_single_frame_packs_to_one_latent_frame() -> None:
    """A reference's one-frame sample has four equal channels."""
    keep_mask = make_reference_keep_mask("edit", _edit_mask(1, [(0, 0, 0)])[0])
    packed = pack_keep_mask(keep_mask, cell_size=8, frame_stride=4)
    assert packed.shape == (1, 4, 1, 2, 2)
    assert (packed[0, :, 0] == torch.tensor([[0.0, 1.0], [1.0, 1.0]])).all()
