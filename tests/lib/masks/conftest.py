"""Tiny networks of YOLOE's and SAM 2's real classes, with random weights."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from demo.make_clips import demo_clips
from demo.world.rendering import render
from lib.masks.ultralytics_setup import configure_ultralytics, tame_ultralytics
from tests.lib.masks.prompted_trackers import HEIGHT, NUM_FRAMES, WIDTH


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Set ultralytics up, and let every attempt to reach the network or to build a text encoder fail the test."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network and the text encoder must not be needed")

    configure_ultralytics(tmp_path_factory.mktemp("ultralytics"))
    with tame_ultralytics(), pytest.MonkeyPatch.context() as patch:
        from ultralytics.nn.tasks import YOLOEModel

        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.setattr(YOLOEModel, "get_text_pe", refuse)
        yield


@pytest.fixture(scope="module")
def video() -> np.ndarray:
    """The first frames of a demo clip."""
    frames = render(demo_clips()[0].scene)[0]
    return np.ascontiguousarray(frames[:NUM_FRAMES, :HEIGHT, :WIDTH])


@pytest.fixture(scope="module")
def yoloe_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .pt file of ultralytics' yoloe-11-seg, made tiny, that sees objects everywhere."""
    folder = tmp_path_factory.mktemp("yoloe")
    with tame_ultralytics():
        from ultralytics import YOLOE
        from ultralytics.nn.tasks import yaml_model_load

        architecture = yaml_model_load("yoloe-11-seg.yaml") | {"scales": {"n": [0.33, 0.125, 256]}, "scale": "n"}
        (folder / "yoloe-tiny-seg.yaml").write_text(yaml.safe_dump(architecture))
        torch.manual_seed(0)
        detector = YOLOE(folder / "yoloe-tiny-seg.yaml")
    for module in detector.model.modules():
        if isinstance(module, torch.nn.Conv2d) and module.weight.requires_grad:
            torch.nn.init.kaiming_normal_(module.weight)  # else the signal dies out, whatever the picture
    for contrast in detector.model.model[-1].cv4:
        torch.nn.init.zeros_(contrast.bias)  # scores about 0.5
    detector.ckpt = {"train_args": detector.model.args | {"imgsz": WIDTH}}
    detector.save(folder / "yoloe-tiny-seg.pt")
    return folder / "yoloe-tiny-seg.pt"


@pytest.fixture(scope="module")
def save_sam2(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, float], Path]:
    """Save the smallest SAM 2 under a name, more (> 0) or less (< 0) inclined to see the object."""
    folder = tmp_path_factory.mktemp("sam2")
    torch.manual_seed(0)
    with tame_ultralytics():
        from ultralytics.models.sam.build import build_sam2_t

        model = build_sam2_t()

    def save(name: str, inclination: float) -> Path:
        weights = dict(model.state_dict())
        weights["sam_mask_decoder.pred_obj_score_head.layers.2.bias"] = torch.tensor([inclination])
        if "sam2.1" in name:
            generator = torch.Generator().manual_seed(1)
            shapes = {"no_obj_embed_spatial": (1, 64), "obj_ptr_tpos_proj.weight": (64, 256)}
            shapes["obj_ptr_tpos_proj.bias"] = (64,)
            weights |= {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}
        torch.save({"model": weights}, folder / name)
        return folder / name

    return save


@pytest.fixture(scope="module")
def sam2_weights(save_sam2: Callable[[str, float], Path]) -> Path:
    """A SAM 2.1 that sees the object in each frame."""
    return save_sam2("sam2.1_t.pt", 5.0)
