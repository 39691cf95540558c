"""Render a pool of first frames with their captions, for the models that look at pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from demo.world.captions import caption
from demo.world.random_scenes import SPLITS, number_scene, place_figure
from demo.world.rendering import Packed, pack_scenes, render_packed
from demo.world.scenes import Scene

PORTRAIT_SHARE = 0.25
CROWDED_SHARE = 0.2  # of the scenes: one more figure, where there is room, as after an edit
PIXEL_NOISE = 4.0  # standard deviation of what training adds, grey levels, since videos are compressed
SCENES_A_TASK = 250
FRAMES_AT_ONCE = {"cpu": 256, "cuda": 2048}  # rendered together: on a GPU the fewer calls the better, 2 MB a frame


@dataclass(frozen=True)
class FramePool:
    """First frames of scenes.

    Attributes:
        frames: (frames, 3, side, side) uint8, on the device to train on; see `squash_frames`.
        scenes: that of each frame.
    """

    frames: torch.Tensor
    scenes: list[Scene]


def render_pool(
    split: str, num_scenes: int, side: int, device: str, num_draws: int = 1, num_workers: int = 1
) -> FramePool:
    """Render the first frame of numbered scenes.

    Args:
        split: a key of demo.world.random_scenes.SPLITS.
        num_scenes: a quarter of them are portrait.
        side: of the frames, pixels.
        device: where to render and where the frames stay.
        num_draws: times that each scene is rendered, all but the first with its figures turned and on another ground's
            texture, which no caption mentions.
        num_workers: processes that draw scenes. With more than one, CUDA must not be in use yet.
    """
    num_portrait = int(num_scenes * PORTRAIT_SHARE)
    parts = [(range(num_scenes - num_portrait), False), (range(num_portrait), True)]
    drawn = [draw_scenes(split, numbers, is_portrait, num_workers) for numbers, is_portrait in parts if numbers]
    generator = torch.Generator().manual_seed(0)
    frames: list[torch.Tensor] = []
    scenes: list[Scene] = []
    for draw in range(num_draws):
        for part_scenes, packed in drawn:
            frames.append(render_first_frames(vary(packed, generator) if draw else packed, side, device))
            scenes += part_scenes
    return FramePool(torch.cat(frames), scenes)


def draw_scenes(
    split: str, numbers: Sequence[int], is_portrait: bool, num_workers: int = 1
) -> tuple[list[Scene], Packed]:
    """Draw and pack scenes of one size, some of them crowded."""
    tasks = [(split, numbers[i : i + SCENES_A_TASK], is_portrait) for i in range(0, len(numbers), SCENES_A_TASK)]
    if num_workers == 1:
        parts = [_draw_task(*task) for task in tasks]
    else:
        with get_context("fork").Pool(num_workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            parts = pool.starmap(_draw_task, tasks)
    scenes = [scene for part, _ in parts for scene in part]
    return scenes, {key: torch.cat([torch.from_numpy(part[key]) for _, part in parts]) for key in parts[0][1]}


def _draw_task(split: str, numbers: Sequence[int], is_portrait: bool) -> tuple[list[Scene], dict[str, np.ndarray]]:
    """Draw in a worker; arrays, because a tensor would travel as a file handle."""
    scenes = [crowd(number_scene(split, number, is_portrait), split, number) for number in numbers]
    return scenes, {key: tensor.numpy() for key, tensor in pack_scenes(scenes).items()}


def crowd(scene: Scene, split: str, number: int) -> Scene:
    """Add a figure to some of the scenes."""
    generator = np.random.default_rng((SPLITS[split], number, 1))
    if generator.random() >= CROWDED_SHARE:
        return scene
    figure = place_figure(generator, scene.figures, False, scene.width, scene.height)
    return scene if figure is None else replace(scene, figures=(*scene.figures, figure))


def vary(packed: Packed, generator: torch.Generator) -> Packed:
    """Turn every figure anew, and exchange the textures of the grounds between scenes."""
    order = torch.randperm(len(packed["num_frames"]), generator=generator)
    varied = {key: tensor[order] if key.startswith("texture") else tensor for key, tensor in packed.items()}
    turn = 360 * torch.rand(packed["figure_rotation"].shape[:2], generator=generator)
    return varied | {"figure_rotation": turn[..., None].expand(-1, -1, 2)}


def render_first_frames(packed: Packed, side: int, device: str) -> torch.Tensor:
    """Render the first frame of each packed scene, squashed: (scenes, 3, side, side) uint8."""
    squashed, at_once = [], FRAMES_AT_ONCE[device]
    for first in range(0, len(packed["num_frames"]), at_once):
        rows = {key: tensor[first : first + at_once] for key, tensor in packed.items()}
        videos = render_packed(rows, num_frames=1, device=device, rows_at_once=at_once)
        squashed.append(squash_frames(videos[:, :, 0], side))
    return torch.cat(squashed)


def squash_frames(frames: torch.Tensor, side: int) -> torch.Tensor:
    """Resize frames (batch, 3, height, width) uint8 to squares, as the image processors of make_models do."""
    resized = torch.nn.functional.interpolate(frames.float(), (side, side), mode="bicubic", antialias=True)
    return resized.round().clamp(0, 255).to(torch.uint8)


def normalise_frames(frames: torch.Tensor, image_processor: Any, noise: float = 0.0) -> torch.Tensor:
    """Make model inputs (batch, 3, side, side) of squashed frames, as the image processor does.

    Args:
        frames: uint8.
        image_processor: whose statistics to use.
        noise: standard deviation of what is added to each value, grey levels.
    """
    values = frames.float()
    if noise:
        values = values + noise * torch.randn_like(values)
    # Made of numbers, not of tensors: a copy from the CPU cannot be part of a CUDA graph.
    statistics = zip(image_processor.image_mean, image_processor.image_std, strict=True)
    channels = [(values[:, index] / 255 - mean) / std for index, (mean, std) in enumerate(statistics)]
    return torch.stack(channels, dim=1)


def first_frame_caption(scene: Scene) -> str:
    """Describe a scene's first frame as the captioner should."""
    return f"{caption(scene, with_motion=False)}."
