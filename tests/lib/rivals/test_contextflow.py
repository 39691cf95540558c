"""ContextFlow on the demo's model: its solver, what the edit sees of the source, and what its videos are."""

import numpy as np
import pytest
import torch

from lib.config.rival_sections import ContextFlowSection
from lib.models.load import load_model
from lib.models.wan.sharing import SharedContextProcessor, share_context
from lib.rivals.contextflow import (
    Contexts,
    chosen_blocks,
    contextflow_sigmas,
    edit_with_contextflow,
    encode_contexts,
    invert,
    midpoint_step,
)
from lib.video.arrays import DecodedVideo, to_model_video
from tests.conftest import ROOT

WAN_FOLDER = ROOT / "demo/models/wan2.1-i2v-tiny"
SETTINGS = ContextFlowSection(num_steps=4, guidance=2.0)


@pytest.fixture(scope="module")
def model():  # noqa: ANN201, an adapter of the family
    """The demo's model, whole."""
    parts = {"vae", "encoders", "transformer"}
    return load_model(WAN_FOLDER, parts, device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="module")
def source() -> DecodedVideo:
    """Nine frames in which a bright square moves to the right."""
    video = np.full((9, 48, 80, 3), 90, np.uint8)
    for number, frame in enumerate(video):
        frame[16:32, 8 + 4 * number : 24 + 4 * number] = (220, 40, 40)
    return video


@pytest.fixture(scope="module")
def contexts(model, source: DecodedVideo) -> Contexts:  # noqa: ANN001
    """Of an edit that paints the square blue."""
    first_frame = source[0].copy()
    first_frame[16:32, 8:24] = (40, 60, 220)
    return encode_contexts(model, source, first_frame, "a blue square", "a red square")


def test_a_midpoint_step_is_exact_where_the_velocity_is_linear_in_time() -> None:
    """There Euler's is not."""
    start, from_sigma, to_sigma = torch.ones(1), torch.tensor(1.0), torch.tensor(0.4)
    moved = midpoint_step(lambda _, sigma: 2 * sigma.view(1), start, from_sigma, to_sigma)
    assert torch.allclose(moved, 1 + to_sigma**2 - from_sigma**2)


def test_the_sigmas_are_the_authors() -> None:
    """51 from 1 to nearly 0, shifted by 5; blocks are named, or the paper's at their share of the depth."""
    sigmas = contextflow_sigmas(50, 5.0)
    smallest = 0.003 / 1.002
    assert len(sigmas) == 51 and sigmas[0] == 1 and (sigmas.diff() < 0).all()
    assert sigmas[-1].item() == pytest.approx(5 * smallest / (1 + 4 * smallest))
    assert chosen_blocks(None, 40) == [27, 29, 31, 32] and chosen_blocks(None, 7) == [4, 5]
    assert chosen_blocks((6, 7, 99), 40) == [6, 7] and chosen_blocks((), 40) == []


def test_a_clip_that_sees_itself_twice_is_as_if_alone(model, contexts: Contexts) -> None:  # noqa: ANN001
    """The same keys and values again change no mean; the original processor gives the same numbers, to rounding."""
    noisy = torch.randn(1, 16, 3, 6, 10, generator=torch.Generator().manual_seed(0)).repeat(2, 1, 1, 1, 1)
    sigma, twice = torch.tensor([0.7, 0.7]), model.join([contexts.edited, contexts.edited])
    alone = model.predict_velocity(noisy, sigma, twice)
    model.share_context(range(model.num_blocks))
    assert all(isinstance(block.attn1.processor, SharedContextProcessor) for block in model.transformer.blocks)
    beside = model.predict_velocity(noisy, sigma, twice)
    assert torch.allclose(alone, beside, atol=1e-5)
    joined = model.join([contexts.source, contexts.edited])
    seen = model.predict_velocity(noisy, sigma, joined)
    share_context(model.transformer, [])
    unseen = model.predict_velocity(noisy, sigma, joined)
    assert torch.allclose(seen[0], unseen[0], atol=1e-5), "the source is rebuilt as if alone"
    assert (seen[1] - unseen[1]).abs().max() > 1e-3, "the edit sees it"


def test_a_source_comes_back_from_its_noise(model, source: DecodedVideo, contexts: Contexts) -> None:  # noqa: ANN001
    """Under its own first frame; the more steps, the nearer: the walk back is the walk there reversed."""
    latents = model.encode_video(to_model_video(source))

    def error(num_steps: int) -> float:
        sigmas = contextflow_sigmas(num_steps, 5.0)
        back = invert(model, latents, sigmas, contexts.source, lambda _: None)
        for sigma, smaller in zip(sigmas[:-1], sigmas[1:], strict=True):
            back = midpoint_step(
                lambda noisy, at: model.predict_velocity(noisy, at.view(1), contexts.source), back, sigma, smaller
            )
        return float((back - latents).square().mean().sqrt())

    with torch.no_grad():
        coarse, fine = error(4), error(16)
    assert fine < coarse / 2 and fine < 0.5


def test_an_unchanged_first_frame_gives_the_source_rebuilt(model, source: DecodedVideo) -> None:  # noqa: ANN001
    """With no words and no guidance the edit is the rebuilt source, whether it sees it or not."""
    same = encode_contexts(model, source, source[0], "", "")
    settings = ContextFlowSection(num_steps=4, guidance=1.0)
    made = [
        edit_with_contextflow(model, source, source[0], [(0, 9)], same, one, lambda _: None)
        for one in (settings, settings.model_copy(update={"blocks": ()}))
    ]
    assert np.abs(made[0].astype(int) - made[1]).max() <= 1
    assert made[0].shape == source.shape


def test_steps_are_told_and_windows_go_on(model, source: DecodedVideo) -> None:  # noqa: ANN001
    """Every step of every window, there and back; a later window begins with the frames that are there."""
    first_frame, steps = source[0], list[int]()
    short = encode_contexts(model, source[:5], first_frame, "a red square", "")
    made = edit_with_contextflow(model, source, first_frame, [(0, 5), (4, 9)], short, SETTINGS, steps.append)
    assert made.shape == source.shape and steps == list(range(1, 17))
    alone = edit_with_contextflow(model, source[:5], first_frame, [(0, 5)], short, SETTINGS, steps.append)
    assert (made[:5] == alone).all()


def test_what_it_is_given_counts(model, source: DecodedVideo, contexts: Contexts) -> None:  # noqa: ANN001
    """The edited first frame and the source's motion each change the video."""

    def made(video: DecodedVideo, shown: Contexts, settings: ContextFlowSection = SETTINGS) -> DecodedVideo:
        return edit_with_contextflow(model, video, video[0], [(0, 9)], shown, settings, lambda _: None)

    edited = made(source, contexts)
    others = (
        made(source, Contexts(contexts.source, contexts.source, contexts.negative)),
        made(source[::-1].copy(), contexts),
        made(source, contexts, SETTINGS.model_copy(update={"shared_steps": 0.0})),
        made(source, contexts, SETTINGS.model_copy(update={"guidance": 1.0})),
    )
    assert all((other != edited).any() for other in others)
