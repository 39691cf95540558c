"""LPIPS and DISTS as their own packages compute them, and of the background alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lib.core.errors import InputError
from lib.scores.convert_perceptual import convert, main
from lib.scores.perceptual import NETWORKS, Kind, distances, load_network

CPU = torch.device("cpu")
PUBLISHED: dict[Kind, list[float]] = {
    "lpips": [0.005915192421525717, 0.0059340582229197025],
    "dists": [0.0037728548049926758, 0.0033927559852600098],
}
"""What lpips 0.1.4 (over AlexNet) and DISTS_pytorch 0.1 say of `draw_pair` with the weights of `draw_weights`."""


def draw_weights(kind: Kind) -> dict[str, torch.Tensor]:
    """Draw weights that anybody can draw again; those that weigh features are positive, as the published ones are."""
    generator = np.random.default_rng(0)
    weights = {}
    for name, weight in sorted(NETWORKS[kind]().state_dict().items()):
        drawn = generator.standard_normal(tuple(weight.shape)) / max(1, weight[0].numel()) ** 0.5
        weighs = name.startswith(("lin", "alpha", "beta"))
        weights[name] = torch.from_numpy(np.abs(drawn) if weighs else drawn).float()
    return weights


def draw_pair() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw two frames of noise, and the same with more noise."""
    generator = np.random.default_rng(1)
    video = generator.integers(0, 255, (2, 64, 96, 3), np.uint8)
    noise = generator.integers(-40, 40, video.shape)
    return video, np.clip(video.astype(int) + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module", params=["lpips", "dists"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Which of the two."""
    name: Kind = request.param
    return name


@pytest.fixture(scope="module")
def network(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> torch.nn.Module:
    """It, its weights converted from two files with more in them, as they are published."""
    folder = tmp_path_factory.mktemp(kind)
    weights = draw_weights(kind)
    backbone = {name: weight for name, weight in weights.items() if name.startswith("features")}
    torch.save({**backbone, "classifier.1.weight": torch.zeros(2, 2)}, folder / "backbone.pth")
    torch.save({name: weight for name, weight in weights.items() if name not in backbone}, folder / "own.pth")
    convert(kind, folder / "made.safetensors", [folder / "backbone.pth", folder / "own.pth"])
    return load_network(kind, folder / "made.safetensors", CPU)


def test_distances_are_those_of_the_published_code(kind: Kind, network: torch.nn.Module) -> None:
    """Where nothing is edited."""
    video, other = draw_pair()
    nothing = np.zeros(video.shape[:3], np.bool_)
    assert distances(network, video, other, nothing) == pytest.approx(PUBLISHED[kind], abs=1e-6)
    assert distances(network, video, video, nothing) == pytest.approx([0, 0], abs=1e-6)


def test_what_is_edited_does_not_count(network: torch.nn.Module) -> None:
    """But for what the network sees around its edge; a frame that is edited as a whole has no background."""
    video, other = draw_pair()
    edited = np.zeros(video.shape[:3], np.bool_)
    edited[:, :, 48:] = True
    half = np.where(edited[..., None], other, video)
    spoiled = distances(network, video, half, np.zeros_like(edited))
    kept = distances(network, video, half, edited)
    assert all(few < 0.5 * many for few, many in zip(kept, spoiled, strict=True) if few is not None and many)
    assert None not in kept
    edited[1] = True
    first, second = distances(network, video, other, edited)
    assert first is not None and first > 0 and second is None


def test_other_weights_are_told(kind: Kind, tmp_path: Path) -> None:
    """At the conversion, which writes nothing then."""
    weights = draw_weights(kind)
    torch.save({name: weight for name, weight in weights.items() if name != "features.0.weight"}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"features\.0\.weight"):
        convert(kind, tmp_path / "made.safetensors", [tmp_path / "a.pth"])
    torch.save({"code": print}, tmp_path / "b.pth")
    assert main([kind, str(tmp_path / "made.safetensors"), str(tmp_path / "b.pth")]) == 1
    assert not (tmp_path / "made.safetensors").exists()
