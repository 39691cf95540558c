"""Tests of lib/masks/yoloe.py and lib/masks/sam2.py: real networks with random weights, so no test of accuracy.

What is tested is what does not depend on training: shapes, that prompts reach the networks, that calls do not
influence one another, what is refused.
"""

import gc
import socket
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from demo.make_clips import demo_clips
from demo.world.rendering import render
from lib.core.errors import InputError
from lib.masks.boxes import box_of, draw_box, overlap
from lib.masks.detector import detect_objects, load_detector
from lib.masks.object_links import Detection, describe_sightings
from lib.masks.sam2 import build_like, make_sam2_follower, make_sam2_segmenter
from lib.masks.ultralytics_setup import configure_ultralytics, tame_ultralytics
from lib.masks.yoloe import link_at, make_yoloe_follower, prompt_yoloe
from tests.conftest import ROOT
from tests.lib.masks.test_detector import RunsCode

CPU = torch.device("cpu")
NUM_FRAMES, HEIGHT, WIDTH, IMAGE_SIZE = 5, 96, 160, 128


@pytest.fixture(scope="module", autouse=True)
def _offline(tmp_path_factory: pytest.TempPathFactory) -> Any:
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


def region(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """A rectangular region of a frame."""
    return draw_box(np.array([left, top, right, bottom], float), np.zeros((HEIGHT, WIDTH), bool))


LEFT, RIGHT = region(10, 10, 60, 70), region(100, 30, 150, 90)


def test_yoloe_returns_the_track_at_the_region(yoloe_weights: Path, video: np.ndarray) -> None:
    """Boxes are (frames, 4) float64 in the frame, absent as whole rows, and overlap the region at its frame."""
    follow = make_yoloe_follower(yoloe_weights, video, 0.1, CPU)
    for shown in (LEFT, RIGHT):
        boxes = follow(0, shown)
        assert boxes.shape == (NUM_FRAMES, 4) and boxes.dtype == np.float64
        seen = ~np.isnan(boxes).any(axis=1)
        assert (np.isnan(boxes).any(axis=1) == np.isnan(boxes).all(axis=1)).all()
        assert (boxes[seen] >= 0).all() and (boxes[seen] <= [WIDTH, HEIGHT, WIDTH, HEIGHT]).all()
        assert overlap(boxes[0], box_of(shown)) >= 0.1


def test_yoloe_finds_nothing_below_its_confidence(yoloe_weights: Path, video: np.ndarray) -> None:
    """Where no detection is sure enough, all rows are NaN."""
    boxes = make_yoloe_follower(yoloe_weights, video, 0.999, CPU)(2, LEFT)
    assert boxes.shape == (NUM_FRAMES, 4) and np.isnan(boxes).all()


def test_yoloe_learns_what_the_box_shows(yoloe_weights: Path, video: np.ndarray) -> None:
    """The embedding that it looks for depends on the box and on the frame, and is the same for the same."""
    detector = load_detector(yoloe_weights)
    embeddings = []
    for frame, shown in ((video[0], LEFT), (video[0], RIGHT), (255 - video[0], LEFT), (video[0], LEFT)):
        prompt_yoloe(detector, frame, box_of(shown), CPU)
        embeddings.append(detector.model.pe.clone())
        assert embeddings[-1].shape == (1, 1, 512) and list(detector.names) == [0]
    differences = [float((embedding - embeddings[0]).abs().max()) for embedding in embeddings]
    assert differences[1] > 1e-3 and differences[2] > 1e-3 and differences[3] == 0


def test_yoloe_calls_do_not_influence_one_another(
    yoloe_weights: Path, video: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call looks for its own region, gives the same whatever came before, and leaves the video as it was."""
    sought = []

    def detect_objects_noting(detector: Any, *rest: Any) -> list[Detection]:
        sought.append(detector.model.pe.clone())
        return detect_objects(detector, *rest)

    monkeypatch.setattr("lib.masks.yoloe.detect_objects", detect_objects_noting)
    follow, before = make_yoloe_follower(yoloe_weights, video, 0.1, CPU), video.copy()
    first, other, again = follow(0, LEFT), follow(3, RIGHT), follow(0, LEFT)
    np.testing.assert_array_equal(again, first)
    assert torch.equal(sought[2], sought[0]) and not torch.equal(sought[1], sought[0])
    np.testing.assert_array_equal(make_yoloe_follower(yoloe_weights, video, 0.1, CPU)(3, RIGHT), other)
    assert torch.equal(sought[3], sought[1])
    np.testing.assert_array_equal(video, before)


def test_the_detection_that_fits_best_is_linked(video: np.ndarray) -> None:
    """Of several in the region's frame, the one with the highest intersection over union; none that hardly touch."""
    near = [Detection(index, "object", np.array([10.0 + index, 10, 30 + index, 30]), 0.5) for index in range(3)]
    wide = [Detection(0, "object", np.array([0.0, 0, 90, 90]), 0.9)]
    sightings = describe_sightings(np.full_like(video, 90), wide + near)
    boxes = link_at(np.array([10.0, 10, 30, 31]), 0, sightings, NUM_FRAMES)
    np.testing.assert_array_equal(boxes[:3], [one.box for one in near])
    assert np.isnan(boxes[3:]).all()
    assert np.isnan(link_at(np.array([100.0, 60, 110, 70]), 0, sightings, NUM_FRAMES)).all()
    assert np.isnan(link_at(np.array([10.0, 10, 30, 30]), 4, sightings, NUM_FRAMES)).all()
    assert np.isnan(link_at(np.array([10.0, 10, 30, 30]), 0, describe_sightings(video, []), NUM_FRAMES)).all()


def test_sam2_segments_what_the_box_shows(sam2_weights: Path, video: np.ndarray) -> None:
    """Masks are (frames, height, width) bool, and depend on the box in its frame and in those before and after."""
    segment = make_sam2_segmenter(sam2_weights, video, CPU, IMAGE_SIZE)
    left, right = segment(2, LEFT), segment(2, RIGHT)
    assert left.shape == (NUM_FRAMES, HEIGHT, WIDTH) and left.dtype == np.bool_
    assert left.any(axis=(1, 2)).all() and (left != right).any(axis=(1, 2)).all()


def test_sam2_calls_do_not_influence_one_another(sam2_weights: Path, video: np.ndarray) -> None:
    """The same region gives the same masks whatever came before, and the video is left as it was."""
    segment, before = make_sam2_segmenter(sam2_weights, video, CPU, IMAGE_SIZE), video.copy()
    first = segment(1, LEFT)
    segment(4, RIGHT)
    np.testing.assert_array_equal(segment(1, LEFT), first)
    np.testing.assert_array_equal(video, before)


def test_sam2_goes_backwards_as_forwards(sam2_weights: Path, video: np.ndarray) -> None:
    """The frames before the anchor are those after it in the reversed video; at the ends one way suffices."""
    masks = make_sam2_segmenter(sam2_weights, video, CPU, IMAGE_SIZE)(3, LEFT)
    reversed_masks = make_sam2_segmenter(sam2_weights, video[::-1], CPU, IMAGE_SIZE)(NUM_FRAMES - 1 - 3, LEFT)
    np.testing.assert_array_equal(masks, reversed_masks[::-1])
    cut = make_sam2_segmenter(sam2_weights, video[3:], CPU, IMAGE_SIZE)(0, LEFT)
    np.testing.assert_array_equal(masks[3:], cut)


def test_sam2_follower_gives_the_boxes_of_the_masks(sam2_weights: Path, video: np.ndarray) -> None:
    """Each box encloses its mask exactly, in a portrait video too."""
    portrait, shown = np.ascontiguousarray(video.transpose(0, 2, 1, 3)), np.ascontiguousarray(LEFT.T)
    boxes = make_sam2_follower(sam2_weights, portrait, CPU, IMAGE_SIZE)(0, shown)
    masks = make_sam2_segmenter(sam2_weights, portrait, CPU, IMAGE_SIZE)(0, shown)
    assert boxes.shape == (NUM_FRAMES, 4) and boxes.dtype == np.float64 and masks.shape == portrait.shape[:3]
    np.testing.assert_array_equal(boxes, [box_of(mask) for mask in masks])


def test_sam2_absence_is_nan(save_sam2: Callable[[str, float], Path], video: np.ndarray) -> None:
    """Where SAM 2 (here 2.0) sees no object the boxes are NaN, in the anchor frame too."""
    boxes = make_sam2_follower(save_sam2("sam2_t.pt", -5.0), video, CPU, IMAGE_SIZE)(1, LEFT)
    assert boxes.shape == (NUM_FRAMES, 4) and boxes.dtype == np.float64 and np.isnan(boxes).all()


def test_sam2_is_built_as_by_ultralytics(sam2_weights: Path) -> None:
    """From a file that can be trusted, ultralytics' own loader makes the same network, SAM 2.1's parts included."""
    with tame_ultralytics():
        from ultralytics.models.sam.build import build_sam

        theirs = build_sam(sam2_weights)
    ours = build_like(theirs.state_dict())
    assert ours.state_dict().keys() == theirs.state_dict().keys() and str(ours) == str(theirs)
    settings = [{key: value for key, value in vars(model).items() if key[0] != "_"} for model in (ours, theirs)]
    assert settings[0] == settings[1] and settings[0]["proj_tpos_enc_in_obj_ptrs"] is True


@pytest.mark.parametrize("size", ["t", "s", "b", "l"])
def test_sam2_size_is_told_from_the_weights(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the four sizes is built from its own weights, whatever the file is called."""
    monkeypatch.setattr(torch, "linspace", partial(torch.linspace, device="cpu"))  # whose values the builders read
    with tame_ultralytics(), torch.device("meta"):  # sizes only: no memory, no time
        from ultralytics.models.sam import build

        weights = getattr(build, f"build_sam2_{size}")().state_dict()
        built = build_like(weights).state_dict()
    assert {key: value.shape for key, value in built.items()} == {key: value.shape for key, value in weights.items()}


FOLLOWERS: dict[str, Callable[[Path, np.ndarray], Any]] = {
    "yoloe": lambda weights, frames: make_yoloe_follower(weights, frames, 0.1, CPU),
    "sam2": lambda weights, frames: make_sam2_follower(weights, frames, CPU, IMAGE_SIZE),
}


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
