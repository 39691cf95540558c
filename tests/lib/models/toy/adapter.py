"""The toy family's adapter; see lib.models.base.VideoModel for its members."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any, get_args

import torch
from torch import nn

from lib.execution.block_runs import Saved, set_up_blocks
from lib.execution.devices import free_memory
from lib.execution.memory_modes import Costs, MemoryUse, Needs, choose_execution
from lib.models.base import Conditioning
from lib.models.experts import SOLE, Experts
from lib.models.latent_cells import reduce_to_cells
from tests.lib.models.toy.family import ADAPTED, FAMILY
from tests.lib.models.toy.networks import ToyAutoencoder, ToyDenoiser, ToyWords

COSTS = Costs(dict.fromkeys(get_args(Saved), 1.0), training_work=1, generation_work=1, adapter_bytes=0)
IN_TIME = ("toy_shown", "toy_hidden", "toy_times")


class ToyModel:
    """The toy.

    A conditioning holds `toy_words`, `toy_glance`, the mean colour of frame 0, and `toy_shown`, `toy_hidden` and
    `toy_times` of each latent frame.
    """

    frame_stride = FAMILY.frame_stride
    size_multiple = FAMILY.size_multiple
    most_at_once: int | None = None

    def __init__(self, device: torch.device, components: dict[str, Any], execution: dict[str, Any]) -> None:
        self.device, self.execution, self._components = device, execution, components

    @property
    def experts(self) -> Experts:
        """The one denoiser."""
        return self._component("transformer")

    @property
    def transformer(self) -> nn.Module:
        """The denoiser."""
        return self.experts.module

    def lora_target_modules(self, layers: Collection[str]) -> list[str]:
        return [name for kind in ADAPTED if kind in layers for name in ADAPTED[kind]]

    def latents_shape(self, num_frames: int, height: int, width: int) -> tuple[int, ...]:
        return FAMILY.latents_shape(num_frames, height, width)

    @torch.no_grad()
    def encode_video(self, video: torch.Tensor) -> torch.Tensor:
        return self._component("vae").encode(video)

    @torch.no_grad()
    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        return self._component("vae").decode(latents)

    @torch.no_grad()
    def encode_prompt(self, prompt: str, first_frame: torch.Tensor | None = None) -> Conditioning:  # noqa: ARG002
        return {"toy_words": self._component("words")(prompt)}

    def encode_conditioning(
        self, prompt: str, condition_video: torch.Tensor, keep_mask: torch.Tensor, first_frame: torch.Tensor
    ) -> Conditioning:
        glance = first_frame.mean(dim=(2, 3, 4), keepdim=True)
        return {
            **self.encode_prompt(prompt),
            "toy_glance": glance,
            **self.encode_condition_video(condition_video, keep_mask),
        }

    def encode_condition_video(self, condition_video: torch.Tensor, keep_mask: torch.Tensor) -> Conditioning:
        kept = reduce_to_cells(keep_mask, FAMILY.cell_size)
        later = kept[:, :, 1:].unflatten(2, (-1, FAMILY.frame_stride)).amin(dim=3)
        hidden = 1 - torch.cat([kept[:, :, :1], later], dim=2)
        times = torch.arange(hidden.shape[2], dtype=torch.float32).view(1, 1, -1, 1, 1)
        return {"toy_shown": self.encode_video(condition_video * keep_mask), "toy_hidden": hidden, "toy_times": times}

    def select_frames(self, conditioning: Conditioning, positions: Sequence[int]) -> Conditioning:
        chosen = torch.tensor(positions)
        return {**conditioning, **{name: conditioning[name].index_select(2, chosen) for name in IN_TIME}}

    def join(self, conditionings: Sequence[Conditioning]) -> Conditioning:
        return {name: torch.cat([each[name] for each in conditionings]) for name in conditionings[0]}

    def regenerated_cells(self, conditioning: Conditioning) -> torch.Tensor:
        return conditioning["toy_hidden"]

    def learnt_cells(self, conditioning: Conditioning) -> torch.Tensor | None:  # noqa: ARG002
        return None

    def start_latents(self, noise: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:  # noqa: ARG002
        return noise

    def begin_sampling(self, cache_threshold: float, guidance: float = 1.0) -> float:
        assert cache_threshold == 0, "the toy keeps nothing from step to step"
        return guidance

    def predict_velocity(
        self,
        noisy_latents: torch.Tensor,
        sigma: torch.Tensor,
        conditioning: Conditioning,
        guided: bool = True,  # noqa: ARG002, for caches
    ) -> torch.Tensor:
        batch, _, frames, height, width = noisy_latents.shape
        told = [*(conditioning[name] for name in (*IN_TIME, "toy_glance")), sigma.view(-1, 1, 1, 1, 1)]
        planes = [plane.expand(batch, -1, frames, height, width) for plane in (noisy_latents, *told)]
        words = conditioning["toy_words"].expand(batch, -1, -1)
        velocity = self.transformer(torch.cat(planes, dim=1).flatten(2).transpose(1, 2), words)
        return velocity.transpose(1, 2).unflatten(2, (frames, height, width))

    def _component(self, name: str) -> Any:
        assert name in self._components, f"{name} was not loaded"
        return self._components[name]


def load(
    name: str,
    components: Collection[str],
    *,
    device: torch.device,
    dtype: torch.dtype,
    memory: MemoryUse,
    download: bool,
) -> ToyModel:
    """Load what is asked for from a folder of `tests.lib.models.toy.checkpoint`."""
    loaded: dict[str, Any] = {}
    execution: dict[str, Any] = {}
    local = {"local_files_only": not download, "torch_dtype": dtype}
    if "vae" in components:
        loaded["vae"] = ToyAutoencoder()
    if "encoders" in components:
        loaded["words"] = ToyWords.from_pretrained(name, subfolder="words", **local).requires_grad_(False)
    if "transformer" in components:
        denoiser = ToyDenoiser.from_pretrained(name, subfolder="transformer", **local).requires_grad_(False)
        needs = _needs(denoiser, memory.latents_shape)
        mode, how = choose_execution(memory.mode, memory.weights, needs, memory.training, free_memory(device))
        set_up_blocks(denoiser.tower, how, device)
        denoiser = denoiser.eval().to(device)
        loaded["transformer"], execution = Experts([SOLE], lambda _: denoiser), {"mode": mode, **asdict(how)}
    return ToyModel(device, loaded, execution)


def _needs(denoiser: ToyDenoiser, latents_shape: Sequence[int]) -> Needs:
    block = sum(parameter.nbytes for parameter in denoiser.tower[0].parameters())
    batch, _, frames, height, width = latents_shape
    output = batch * frames * height * width * denoiser.config.width * 4
    parameters = sum(parameter.numel() for parameter in denoiser.parameters())
    return Needs(len(denoiser.tower), block, 4 * parameters - len(denoiser.tower) * block, output, parameters, COSTS)
