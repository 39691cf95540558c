"""Follow an edited region by its outline: SAM 2, prompted with the region's box in one frame.

As in lib.masks.detector: call `configure_ultralytics` before anything else here.
"""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lib.core.errors import InputError, Problem
from lib.masks.boxes import Boxes, FollowRegion, box_of
from lib.masks.ultralytics_setup import tame_ultralytics
from lib.video.arrays import DecodedVideo, Mask

IMAGE_SIZE = 1024  # pixels; SAM 2's frames are squares of this side, at which it was trained
EXPECTED = "weights of SAM 2 or 2.1, such as sam2.1_b.pt"

# (anchor frame, region (height, width) of it) -> masks (frames, height, width)
SegmentRegion = Callable[[int, Mask], NDArray[np.bool_]]


def make_sam2_follower(
    weights: str | Path, video: DecodedVideo, device: torch.device, image_size: int = IMAGE_SIZE
) -> FollowRegion:
    """Load SAM 2 and return a function that follows a region through a video, as boxes around its masks.

    The function takes the frame that the region is in and the region itself, (height, width) with True
    pixels, and returns boxes (frames, 4), NaN where the mask is empty. Args and Raises: see
    `make_sam2_segmenter`.
    """
    segment = make_sam2_segmenter(weights, video, device, image_size)

    def follow(anchor: int, region: Mask) -> Boxes:
        masks = segment(anchor, region)
        return np.stack([box_of(mask) if mask.any() else np.full(4, np.nan) for mask in masks])

    return follow


def make_sam2_segmenter(
    weights: str | Path, video: DecodedVideo, device: torch.device, image_size: int = IMAGE_SIZE
) -> SegmentRegion:
    """Load SAM 2 and return a function that finds the pixels of a region in every frame of a video.

    The function takes the frame that the region is in and the region itself, (height, width) with True
    pixels, of which SAM 2 sees the box; it returns masks (frames, height, width), all False where the object
    is absent. It keeps the video, but no state: calls do not influence one another.

    Args:
        weights: a .pt file of ultralytics, SAM 2 or 2.1, of any of the four sizes.
        video: (frames, height, width, 3) uint8 RGB.
        device: where SAM 2 runs.
        image_size: side of the squares that frames are fitted into, a multiple of 32; smaller is faster and worse.

    Raises:
        InputError: no such file, or no such weights.
    """
    model = _load_sam2(Path(weights))

    def segment(anchor: int, region: Mask) -> NDArray[np.bool_]:
        box, masks = box_of(region), np.zeros(video.shape[:3], np.bool_)  # (frames, height, width)
        # SAM 2 remembers only what came before, so the frames before the anchor are shown to it in reverse.
        masks[anchor::-1] = _propagate(model, video[anchor::-1], box, device, image_size)
        masks[anchor:] = _propagate(model, video[anchor:], box, device, image_size)
        return masks

    return segment


def _propagate(model: Any, video: DecodedVideo, box: Boxes, device: torch.device, image_size: int) -> NDArray[np.bool_]:
    """Return the masks (frames, height, width) of what a box (4,) shows in the first frame of a video.

    ultralytics takes a video only as a file, and starts SAM 2's memory afresh with each. What it takes from
    memory are pictures, and with these it leaves SAM 2's memory as it is. So we start that ourselves and show it
    the frames as pictures that bear their number: no temporary file, and no decoder that alters colours.
    """
    masks = np.zeros(video.shape[:3], np.bool_)
    with tame_ultralytics():
        from ultralytics.data.loaders import LoadPilAndNumpy, SourceTypes
        from ultralytics.models.sam import SAM2VideoPredictor

        settings = {"imgsz": image_size, "device": device, "save": False, "verbose": False}
        predictor = SAM2VideoPredictor(overrides=settings)  # a new one each time: it holds the memory
        predictor.setup_model(model, verbose=False)
        predictor.inference_state = predictor._init_state(len(video))
        for index, frame in enumerate(video):
            picture = LoadPilAndNumpy(np.ascontiguousarray(frame[..., ::-1]))  # ultralytics takes BGR
            picture.source_type, picture.frame = SourceTypes(from_img=True), index
            (result,) = predictor(source=picture, bboxes=box[None])  # it heeds the box in the first frame only
            masks[index] = result.masks.data.cpu().numpy().any(axis=0)  # (objects found, height, width): 0 or 1
    return masks


def build_like(weights: Mapping[str, torch.Tensor]) -> Any | None:
    """Build the SAM 2 whose weights these are, without loading them; None if they are of no SAM 2.

    Told by the weights themselves: ultralytics goes by the name of the file.
    """
    with tame_ultralytics():
        from ultralytics.models.sam import build

    builders = {
        (96, 12): build.build_sam2_t,
        (96, 16): build.build_sam2_s,
        (112, 24): build.build_sam2_b,
        (144, 48): build.build_sam2_l,
    }  # by width and depth of the image encoder
    depth = len({name.split(".")[3] for name in weights if name.startswith("image_encoder.trunk.blocks.")})
    position = weights.get("image_encoder.trunk.pos_embed", torch.empty(1, 0))  # (1, width, height, width)
    if (position.shape[1], depth) not in builders:
        return None
    model = builders[position.shape[1], depth]()
    if "no_obj_embed_spatial" in weights:  # SAM 2.1: two parts more, and time counted with its sign
        model.no_obj_embed_spatial = torch.nn.Parameter(torch.zeros(1, model.mem_dim))
        model.obj_ptr_tpos_proj = torch.nn.Linear(model.hidden_dim, model.mem_dim)
        model.proj_tpos_enc_in_obj_ptrs = model.use_signed_tpos_enc_to_obj_ptrs = True
    return model


def _load_sam2(path: Path) -> Any:
    """Load SAM 2, not by ultralytics' `build_sam`.

    That unpickles whatever a file holds, with ULTRALYTICS_SAFE_LOAD too, and looks on the network for a missing one.
    """
    weights = _read_weights(path)
    model = build_like(weights)
    if model is None:
        raise InputError([Problem(str(path), "weights of another model", EXPECTED)])
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        found = f"weights that do not fit SAM 2 ({_one_line(error)})"
        raise InputError([Problem(str(path), found, EXPECTED)]) from error
    model.set_binarize(True)  # as ultralytics does for videos: the prompted mask enters the memory as 0 or 1
    return model


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a .pt file, which is a pickle, without running code from it."""
    if not path.is_file():
        raise InputError([Problem(str(path), "no file", EXPECTED)])
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        found = f"a file that cannot be loaded safely ({_one_line(error)})"
        raise InputError([Problem(str(path), found, EXPECTED)]) from error
    weights = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise InputError([Problem(str(path), "something other than weights", EXPECTED)])
    return weights


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
