"""The families of image-to-video models: which there are, and what planning must know of each without torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

from lib.core.errors import nearest_known

FAMILIES = {
    "hunyuan_video": "lib.models.hunyuan_video",
    "hunyuan_video_15": "lib.models.hunyuan_video_15",
    "wan": "lib.models.wan",
    "wan22": "lib.models.wan.a14b",
    "wan22_ti2v": "lib.models.wan.ti2v",
}
"""The package of each family, by the name that `model.family` takes: the one list of them.

A package holds all that is its family's own: `family.py`, torch-free, defines FAMILY; `adapter.py` has `load`, see
`lib.models.load`. They are imported once a run names the family: nothing here depends on them.
"""

LoraLayers = Literal["self_attention", "cross_attention", "feed_forward"]

Features = dict[str, tuple[int, int]]
"""A linear layer's (in, out) features by its name."""


@dataclass(frozen=True)
class LoraTargets:
    """The linear layers of a model that a LoRA may adapt.

    Attributes:
        size: of the model, in words, such as `40 blocks, 5120 features wide`.
        layers: by their kind.
        experts: the denoisers that have them, see `Family`.
    """

    size: str
    layers: Mapping[LoraLayers, Features]
    experts: tuple[str, ...] = ("transformer",)


@dataclass(frozen=True)
class Family:
    """What planning must know of a family; its adapter is held against all of it (tests/lib/models/test_contract.py).

    Attributes:
        frame_stride: frames that share a latent frame, after frame 0, which has its own.
        size_multiple: what width and height must divide by, pixels.
        cell_size: width and height of what a latent stands for, pixels.
        latent_channels: numbers in each latent.
        pipeline: the class that a model folder's model_index.json names.
        other_pipelines: that it may name instead.
        components: that the folder must list there.
        marks: settings there that tell relatives apart: whether each must be set (True) or must not.
        foreign: components that only relatives of the family have, which its adapter cannot run, and whose they are.
        original_layers: what the model's own code calls its blocks' linear layers, by diffusers' names; LoRA files of
            other programs use it. Empty: not known.
        shares_context: whether its clips can see each other, as the method contextflow needs it.
        file_shapes: weights that a file of a denoiser alone must hold, by the names of the model's own code without a
            prefix, from the denoiser's config.json; None: such files are not read.
        experts: components that are denoisers, from the highest noise levels to the lowest; see `lib.models.experts`.
        lora_targets: what a LoRA may adapt in each of them, from the first one's config.json; a KeyError or TypeError
            where that is no config of this family.
    """

    frame_stride: int
    size_multiple: int
    cell_size: int
    latent_channels: int
    pipeline: str
    components: frozenset[str]
    foreign: Mapping[str, str]
    lora_targets: Callable[[Mapping[str, Any]], LoraTargets]
    original_layers: Mapping[str, str] = field(default_factory=dict)
    shares_context: bool = False
    file_shapes: Callable[[Mapping[str, Any]], Mapping[str, tuple[int, ...]]] | None = None
    other_pipelines: tuple[str, ...] = ()
    marks: Mapping[str, bool] = field(default_factory=dict)
    experts: tuple[str, ...] = ("transformer",)

    def latents_shape(self, num_frames: int, height: int, width: int) -> tuple[int, int, int, int, int]:
        """Return (1, channels, latent frames, height, width) of the latents of a video, given in pixels."""
        latent_frames = 1 + (num_frames - 1) // self.frame_stride
        return 1, self.latent_channels, latent_frames, height // self.cell_size, width // self.cell_size


PREFIXES = ("model.diffusion_model.", "diffusion_model.")  # that other programs put before a denoiser's names


def without_prefix(name: str) -> str:
    """Return the name of a weight as the model's own code has it."""
    return next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)


def family_of(name: str) -> Family:
    """Return what is known of the family of that name."""
    family = import_module(f"{FAMILIES[name]}.family").FAMILY
    assert isinstance(family, Family)
    return family


def check_family(name: str) -> str:
    """Return the name of a family as it is.

    Raises:
        ValueError: there is no such family.
    """
    if name not in FAMILIES:
        raise ValueError(f"'{name}'; expected {nearest_known(name, sorted(FAMILIES))}")
    return name
