"""Form token_replace with any mask: clean tokens at time 0, wherever they stand."""

from pathlib import Path

import pytest
import torch

from lib.diffusion.denoising import denoise, draw_noise
from lib.diffusion.flow_matching import sigma_schedule
from lib.models.base import Conditioning, VideoModel
from lib.models.hunyuan_video.forward import clean_tokens, predict
from lib.models.load import load_model
from lib.training.loop import cell_weights, weighted_loss
from tests.lib.models.hunyuan_video.checkpoint import CHANNELS, POOLED_WIDTH, TEXT_WIDTH, checkpoint

CELLS = (3, 4, 8)
SIGMA = torch.tensor([0.6])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> VideoModel:
    """A tiny model with random weights."""
    folder = checkpoint(tmp_path_factory.mktemp("hunyuan"), "token_replace")
    parts = {"vae", "transformer"}
    return load_model(folder, parts, family="hunyuan_video", device=torch.device("cpu"), dtype=torch.float32)


def _drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _predict(
    model: VideoModel, shown: torch.Tensor, clean: torch.Tensor, positions: list[int] | None = None
) -> torch.Tensor:
    """Call the forward pass with texts that are always the same."""
    places = None if positions is None else torch.tensor(positions)
    words = _drawn(1, 5, TEXT_WIDTH, seed=1), _drawn(1, POOLED_WIDTH, seed=2)
    with torch.no_grad():
        return predict(model.transformer, shown, 1000 * SIGMA, *words, torch.tensor([6000.0]), places, clean)


def _first_frame() -> torch.Tensor:
    clean = torch.zeros(3, 2, 4, dtype=torch.bool)
    clean[0] = True
    return clean


def test_the_first_frame_clean_is_diffusers_own_forward(tmp_path: Path) -> None:
    """The plain transformer, not set up by us, gives the same to rounding."""
    model = load_model(
        checkpoint(tmp_path, "token_replace"),
        {"transformer"},
        family="hunyuan_video",
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    shown = _drawn(1, CHANNELS, *CELLS)
    plain = type(model.transformer).from_pretrained(tmp_path, subfolder="transformer", use_safetensors=True)  # type: ignore[attr-defined]
    with torch.no_grad():
        expected = plain(
            shown,
            1000 * SIGMA,
            _drawn(1, 5, TEXT_WIDTH, seed=1),
            torch.ones(1, 5),
            _drawn(1, POOLED_WIDTH, seed=2),
            torch.tensor([6000.0]),
        ).sample
    assert torch.allclose(_predict(model, shown, _first_frame()), expected, atol=1e-6)


def test_clean_tokens_may_stand_anywhere(model: VideoModel) -> None:
    """A clean frame at the end is the same as one at the start that is told that it stands at the end."""
    shown, order = _drawn(1, CHANNELS, *CELLS), [2, 0, 1]
    expected = _predict(model, shown[:, :, order], _first_frame(), positions=order)
    found = _predict(model, shown, _first_frame()[[1, 2, 0]])
    assert torch.allclose(found[:, :, order], expected, atol=1e-5)
    assert not torch.allclose(found, _predict(model, shown, _first_frame()), atol=1e-2)


def test_which_tokens_are_clean_matters_there(model: VideoModel) -> None:
    """One token more that is clean changes the whole; none or all are masks like any other."""
    shown, some = _drawn(1, CHANNELS, *CELLS), _first_frame()
    some[1, 0, 2] = True
    found = [_predict(model, shown, clean) for clean in (_first_frame(), some, some & False, some | True)]
    assert all(velocity.isfinite().all() for velocity in found)
    assert all(not torch.allclose(found[0], other, atol=1e-4) for other in found[1:])


def _conditioning(model: VideoModel) -> Conditioning:
    """Show a picture of colours whose later frames are hidden on the left, one row of latent cells beyond a token."""
    size = 8 * CELLS[1], 8 * CELLS[2]
    video = torch.rand(1, 3, 9, *size, generator=torch.Generator().manual_seed(3)) * 2 - 1
    keep_mask = torch.ones(1, 1, 9, *size)
    keep_mask[:, :, 1:, :, : 8 * 3] = 0
    words = {"llava_states": _drawn(1, 5, TEXT_WIDTH, seed=1), "clip_pooled": _drawn(1, POOLED_WIDTH, seed=2)}
    return {**words, **model.encode_condition_video(video, keep_mask)}


def test_what_is_kept_comes_back_and_nothing_else(model: VideoModel) -> None:
    """Whole tokens are kept: their latents are those shown; of the others, hidden ones among them, nothing is shown."""
    conditioning = _conditioning(model)
    regenerated = model.regenerated_cells(conditioning)
    assert (regenerated[:, :, 1:, :, :4] == 1).all() and regenerated.sum() == 2 * 4 * 4
    noise = draw_noise((1, CHANNELS, *CELLS), 4, model.device)
    guidance = model.begin_sampling(0.0, 6.0)
    latents = denoise(model, noise, sigma_schedule(5, 7.0), conditioning, {}, guidance, lambda _: None)
    hidden = regenerated.bool().expand_as(latents)
    shown = conditioning["shown_latents"]
    assert torch.allclose(latents[~hidden], shown[~hidden], atol=1e-5) and shown[~hidden].abs().mean() > 0.02
    assert (latents[hidden] - shown[hidden]).abs().mean() > 0.1


def test_clean_tokens_are_not_learnt(model: VideoModel) -> None:
    """The loss is the same whatever the target is where tokens are clean, at no noise at all too; not elsewhere."""
    conditioning, latents = _conditioning(model), _drawn(1, CHANNELS, *CELLS, seed=6)
    weights = cell_weights(model, latents, conditioning, region_weight=3.0)
    assert weights is not None
    hidden = model.regenerated_cells(conditioning)

    def loss(target: torch.Tensor, sigma: float) -> float:
        with torch.no_grad():
            velocity = model.predict_velocity(latents, torch.tensor([sigma]), conditioning)
        return float(weighted_loss(velocity, target, weights))

    target = _drawn(1, CHANNELS, *CELLS, seed=7)
    for sigma in (0.0, 0.5):
        assert loss(target, sigma) == pytest.approx(loss(target + 9 * (1 - hidden), sigma))
        assert loss(target, sigma) < 0.5 * loss(target + 9 * hidden, sigma)
    everything = torch.ones_like(weights)
    assert float(weighted_loss(target, latents, everything * 0)) == 0.0


def test_a_token_is_clean_if_all_its_cells_are() -> None:
    """Two by two cells make a token."""
    cells = torch.ones(1, 1, 2, 4, 4)
    cells[0, 0, 1, 3, 0] = 0
    expected = torch.ones(2, 2, 2, dtype=torch.bool)
    expected[1, 1, 0] = False
    assert torch.equal(clean_tokens(cells, 2), expected)
