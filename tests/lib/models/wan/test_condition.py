"""What a Wan model is shown of a clip: whole frames are handed over, and what is to be regenerated it does not see."""

import pytest
import torch

from lib.diffusion.conditioning import make_keep_mask, put_first
from lib.models.base import VideoModel
from lib.video.arrays import to_model_video
from tests.lib.models.wan.held_against import REGION, SOURCE

VIDEO = to_model_video(SOURCE)


def test_given_frames_stand_before_the_sources() -> None:
    """The edited first frame, or what a window takes over, then the source as it is."""
    given = torch.ones(1, 3, 2, *VIDEO.shape[-2:])
    condition_video = put_first(given, VIDEO)
    assert condition_video.shape == VIDEO.shape
    assert torch.equal(condition_video[:, :, :2], given) and torch.equal(condition_video[:, :, 2:], VIDEO[:, :, 2:])


@pytest.mark.parametrize("kind", ["edit", "first_frame"])
def test_the_region_is_grey_for_wan21(tiny_wan: VideoModel, kind: str) -> None:
    """The paper's V_cond: mid-grey where it is to regenerate, whatever the frames hold there; the rest as it is."""
    keep_mask = make_keep_mask(kind, REGION, 4)
    found = tiny_wan.encode_condition_video(VIDEO, keep_mask)["condition_latents"]
    for hidden in (VIDEO * keep_mask, VIDEO * keep_mask + (1 - keep_mask)):
        assert torch.equal(tiny_wan.encode_condition_video(hidden, keep_mask)["condition_latents"], found)
    assert torch.equal(found, tiny_wan.encode_video(VIDEO * keep_mask))
    assert not torch.allclose(found, tiny_wan.encode_video(VIDEO), atol=0.1)
