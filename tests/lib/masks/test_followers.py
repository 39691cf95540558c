"""What YOLOE and SAM 2 share: memory is let go, and files that are not theirs are refused."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.core.errors import InputError
from lib.masks.detector import load_detector
from lib.masks.ultralytics_setup import tame_ultralytics
from tests.conftest import ROOT
from tests.lib.masks.hostile_weights import RunsCode
from tests.lib.masks.prompted_trackers import FOLLOWERS, LEFT

pytestmark = pytest.mark.usefixtures("offline")


@pytest.mark.parametrize("kind", FOLLOWERS)
def test_memory_is_released(kind: str, yoloe_weights: Path, sam2_weights: Path, video: np.ndarray) -> None:
    """A call leaves no predictor behind, with its frames and features; the follower gone, so is the video."""
    frames = video[:2].copy()
    watched = weakref.ref(frames)
    follow = FOLLOWERS[kind]({"yoloe": yoloe_weights, "sam2": sam2_weights}[kind], frames)
    follow(1, LEFT)
    gc.collect()
    with tame_ultralytics():
        from ultralytics.engine.predictor import BasePredictor
    assert not [thing for thing in gc.get_objects() if issubclass(type(thing), BasePredictor)]
    del follow, frames
    gc.collect()
    assert watched() is None


@pytest.mark.parametrize("kind", FOLLOWERS)
def test_weights_may_have_any_name(
    kind: str, yoloe_weights: Path, sam2_weights: Path, tmp_path: Path, video: np.ndarray
) -> None:
    """Neither an apostrophe in the path nor the name of another model sends ultralytics to the network."""
    (tmp_path / "Bob's").mkdir()
    path = tmp_path / "Bob's" / "yolov5s.pt"
    path.symlink_to({"yoloe": yoloe_weights, "sam2": sam2_weights}[kind])
    FOLLOWERS[kind](path, video)


@pytest.mark.parametrize("kind", FOLLOWERS)
def test_missing_weights_are_an_error(kind: str, tmp_path: Path, video: np.ndarray) -> None:
    """A path without a file is an error that names it, also that of weights one could download."""
    for name in ("yoloe-11l-seg.pt", "sam2.1_b.pt"):
        with pytest.raises(InputError, match=rf"{name}: found no file; expected .*such as"):
            FOLLOWERS[kind](tmp_path / name, video)


@pytest.mark.parametrize("kind", FOLLOWERS)
@pytest.mark.parametrize("content", ["detector", "hostile", "text", "empty", "list", "weights", "nested weights"])
def test_file_of_another_kind_is_an_error(kind: str, content: str, tmp_path: Path, video: np.ndarray) -> None:
    """Weights of another model, other files, and files that would run code, are errors; nothing has run."""
    path, trace = tmp_path / f"{kind}.pt", tmp_path / "trace"
    weights = {"image_encoder.trunk.pos_embed": torch.zeros(1, 96, 7, 7), "bias": torch.zeros(3)}
    if content == "detector":
        load_detector(ROOT / "demo/models/yolo11-tiny").save(path)
    elif content in ("text", "empty"):
        path.write_text("no weights" if content == "text" else "")
    else:
        things = {"hostile": {"model": RunsCode(trace)}, "list": [1, 2], "weights": weights}
        torch.save(things.get(content, {"model": weights}), path)
    with pytest.raises(InputError, match=rf"{kind}\.pt: found"):
        FOLLOWERS[kind](path, video)
    assert not trace.exists()


def test_each_refuses_the_weights_of_the_other(yoloe_weights: Path, sam2_weights: Path, video: np.ndarray) -> None:
    """YOLOE weights are none of SAM 2, and the other way round."""
    with pytest.raises(InputError, match="a YOLOE model"):
        FOLLOWERS["yoloe"](sam2_weights, video)
    with pytest.raises(InputError, match="weights of SAM 2"):
        FOLLOWERS["sam2"](yoloe_weights, video)


def test_sam2_weights_that_lack_some_are_an_error(sam2_weights: Path, tmp_path: Path, video: np.ndarray) -> None:
    """Weights of the right size but with a part missing do not start at random: the error names the part."""
    weights = torch.load(sam2_weights)["model"]
    del weights["no_mem_embed"]
    torch.save(weights, tmp_path / "cut.pt")
    with pytest.raises(InputError, match=r"cut\.pt: found weights that do not fit SAM 2 .*no_mem_embed"):
        FOLLOWERS["sam2"](tmp_path / "cut.pt", video)


def test_yoloe_with_classes_built_in_is_an_error(yoloe_weights: Path, tmp_path: Path, video: np.ndarray) -> None:
    """A YOLOE whose classes are fused into it can take no prompt, and the error says so."""
    detector = load_detector(yoloe_weights)
    detector.model.model[-1].fuse(torch.zeros(1, 1, 512))
    detector.save(tmp_path / "fused.pt")
    with pytest.raises(InputError, match=r"fused\.pt: found a YOLOE model whose classes are built in"):
        FOLLOWERS["yoloe"](tmp_path / "fused.pt", video)
