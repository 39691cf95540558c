"""How different two pictures look: LPIPS and DISTS, of the background alone where a mask says what was edited.

LPIPS: R. Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (CVPR 2018), version
0.1 over AlexNet. DISTS: K. Ding et al., "Image Quality Assessment: Unifying Structure and Texture Similarity" (TPAMI
2020), over VGG16. Their own packages need torchvision, whose build must be that of torch, for a dozen lines.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from lib.core.errors import InputError, Problem
from lib.metrics.per_frame import PerFrame
from lib.video.arrays import DecodedVideo, Mask

Kind = Literal["lpips", "dists"]
LPIPS_CHANNELS = (64, 192, 384, 256, 256)
DISTS_CHANNELS = (3, 64, 128, 256, 512, 512)
FRAMES_AT_ONCE = 4
TINY = 1e-10  # below which a feature has no direction
STABLE = 1e-6  # DISTS's two constants


class Lpips(nn.Module):
    """LPIPS 0.1 over AlexNet; the weights' names are those of torchvision's AlexNet and of the published layers."""

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
        )
        for number, channels in enumerate(LPIPS_CHANNELS):
            layer = nn.Module()
            layer.model = nn.ModuleDict({"1": nn.Conv2d(channels, 1, 1, bias=False)})
            self.add_module(f"lin{number}", layer)
        self.register_buffer("shift", torch.tensor((-0.030, -0.088, -0.188)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor((0.458, 0.448, 0.450)).view(1, 3, 1, 1), persistent=False)

    def forward(self, first: torch.Tensor, second: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        """Return the distance of pictures (batch, 3, height, width), 0 to 1, where kept (batch, 1, height, width) is 1.

        It is 0 for equal pictures, and undefined (not a number) where nothing is kept. With all kept, it is LPIPS.
        """
        total = torch.zeros(len(first), device=first.device)
        depths = zip(self._features(first), self._features(second), strict=True)
        for number, (one, other) in enumerate(depths):
            lin: Any = self.get_submodule(f"lin{number}")
            distance = lin.model["1"]((one - other) ** 2)
            weight = F.adaptive_avg_pool2d(kept, (distance.shape[2], distance.shape[3]))
            total = total + (distance * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3))
        return total

    def _features(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Return the features after each ReLU, each of unit length over the channels."""
        features, found = (2 * pictures - 1 - self.shift) / self.scale, []
        for layer in self.features:
            features = layer(features)
            if isinstance(layer, nn.ReLU):
                length = (features**2).sum(dim=1, keepdim=True).sqrt()
                found.append(features / (length + TINY))
        return found


class Dists(nn.Module):
    """DISTS over VGG16, whose pooling is an L2 one; the weights' names are torchvision's, and alpha and beta."""

    window: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: dict[str, nn.Module] = {}
        number, channels = 0, 3
        for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(count):
                layers[str(number)], channels = nn.Conv2d(channels, width, 3, padding=1), width
                number += 2  # its ReLU
            number += 1  # its pooling
        self.features = nn.ModuleDict(layers)
        self.ends = ("2", "7", "14", "21", "28")  # last of each group
        shape = (1, sum(DISTS_CHANNELS), 1, 1)
        self.alpha, self.beta = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(shape))
        window = torch.from_numpy(np.hanning(5)[1:-1]).float()
        window = window[:, None] * window
        self.register_buffer("window", window / window.sum(), persistent=False)
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1), persistent=False)

    def forward(self, first: torch.Tensor, second: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        """Return the distance of pictures as `Lpips.forward` does; with all kept, it is DISTS."""
        share = self.alpha.sum() + self.beta.sum()
        alphas, betas = (torch.split(weight / share, list(DISTS_CHANNELS), dim=1) for weight in (self.alpha, self.beta))
        similarity = torch.zeros(len(first), device=first.device)
        depths = zip(self._features(first), self._features(second), alphas, betas, strict=True)
        for one, other, alpha, beta in depths:
            weight = F.adaptive_avg_pool2d(kept, (one.shape[2], one.shape[3]))
            weight = weight / weight.sum((2, 3), keepdim=True)

            def mean(values: torch.Tensor, weight: torch.Tensor = weight) -> torch.Tensor:
                return (values * weight).sum((2, 3), keepdim=True)

            mean_one, mean_other = mean(one), mean(other)
            texture = (2 * mean_one * mean_other + STABLE) / (mean_one**2 + mean_other**2 + STABLE)
            spread = mean((one - mean_one) ** 2) + mean((other - mean_other) ** 2)
            together = mean((one - mean_one) * (other - mean_other))
            structure = (2 * together + STABLE) / (spread + STABLE)
            similarity = similarity + (alpha * texture + beta * structure).sum((1, 2, 3))
        return 1 - similarity

    def _features(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        features, found = (pictures - self.mean) / self.std, [pictures]
        for name, layer in self.features.items():
            features = F.relu(layer(features))
            if name in self.ends:
                found.append(features)
                features = self._pooled(features) if name != self.ends[-1] else features
        return found

    def _pooled(self, features: torch.Tensor) -> torch.Tensor:
        window = self.window.expand(features.shape[1], 1, -1, -1)
        pooled = F.conv2d(features**2, window, stride=2, padding=1, groups=features.shape[1])
        return (pooled + 1e-12).sqrt()


NETWORKS: dict[Kind, Callable[[], nn.Module]] = {"lpips": Lpips, "dists": Dists}


def load_network(kind: Kind, path: Path, device: torch.device) -> nn.Module:
    """Load one of the two from a file of `lib.scores.convert_perceptual`.

    Raises:
        InputError: the file holds other weights.
    """
    network = NETWORKS[kind]()
    problems = network.load_state_dict(load_file(path), strict=False)
    if problems.missing_keys or problems.unexpected_keys:
        found = f"weights without {problems.missing_keys[:3]} and with {problems.unexpected_keys[:3]}"
        raise InputError([Problem(str(path), found, f"those of {kind}, see docs/scores.md")])
    return network.requires_grad_(False).eval().to(device)


@torch.no_grad()
def distances(network: nn.Module, video: DecodedVideo, other: DecodedVideo, edited: Mask) -> PerFrame:
    """Measure how different two videos look outside a mask, frame by frame.

    Args:
        network: of `load_network`.
        video, other: (frames, height, width, 3) uint8 RGB.
        edited: (frames, height, width), True = left out.

    Returns:
        A distance from 0 (equal) up for each frame; None where the mask covers it all.
    """
    device = next(network.parameters()).device
    found: PerFrame = []
    for first in range(0, len(video), FRAMES_AT_ONCE):
        chosen = slice(first, first + FRAMES_AT_ONCE)
        one, two = (_pictures(frames[chosen], device) for frames in (video, other))
        kept = torch.from_numpy(~edited[chosen]).to(device, torch.float32)[:, None]
        values: Sequence[float] = network(one, two, kept).tolist()
        found += [value if value == value else None for value in values]  # noqa: PLR0124 - not a number
    return found


def _pictures(frames: DecodedVideo, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(frames).to(device, torch.float32).permute(0, 3, 1, 2) / 255
