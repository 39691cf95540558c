"""Scenes to train a shared LoRA on and scenes to edit, encoded for the demo's model; masks are drawn from the truth."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from demo.evaluation.scenes import HEIGHT, NUM_FRAMES, WIDTH, HeldOutScene, Truth, render_truth
from demo.world.captions import caption
from demo.world.edits import EditedScene, number_edit
from demo.world.rendering import render
from demo.world.scenes import Camera, Scene
from demo.world.truth import edit_region
from lib.diffusion.encoding import Encoded, encode_edit, encode_source, sample_of
from lib.diffusion.recolouring import recolour_video
from lib.masks.boxes import Boxes, box_of, draw_box, smooth_path, widest
from lib.masks.differences import scaled
from lib.masks.random_masks import draw_random_mask
from lib.masks.region_paths import WHOLE_OBJECT, RegionPath
from lib.masks.shapes import draw_noisy, draw_tight
from lib.models.base import Sample, VideoModel
from lib.video.arrays import Mask

TRIGGER = "p3rs0n, "
MARGIN, LEAST_MARGIN = 0.15, 16  # of config.yaml's loose boxes: share of the box, pixels at 480p
NUM_COPIES = 5  # recoloured, as in config.yaml
SHORT = 9  # frames
KIND_STREAM, MASK_STREAM = 77, 78  # of random numbers
TRAIN_KINDS = ("replacement", "recolour", "part", "evolving")


@dataclass(frozen=True)
class Case:
    """A held-out scene, its edit, the truth, and what the model is shown of it.

    Attributes:
        clip: its name. kind: of the edit. moving: whether the camera is.
        masks: (frames, height, width) by kind: `edit`, a loose box round what the edit changes, and its `tight` and
            `noisy` outlines.
        encode: encodes the source and the edit with a kind of mask, see `lib.diffusion.conditioning.make_keep_mask`;
            the second call with it takes no time.
    """

    clip: str
    kind: str
    moving: bool
    truth: Truth
    masks: dict[str, Mask]
    encode: Callable[[str], tuple[Encoded, Encoded]]

    @property
    def mask(self) -> Mask:
        """The loose one."""
        return self.masks["edit"]

    def mask_of(self, kind: str) -> Mask:
        """Return the mask that a kind is drawn from; kinds that know no region have the loose one."""
        return self.masks.get(kind, self.mask)


def prompt_of(scene: Scene) -> str:
    """Return the trigger word and the caption in the captioner's form."""
    return f"{TRIGGER}{caption(scene, with_motion=False)}."


def loose_mask(region: Mask, frame_stride: int) -> Mask:
    """Draw the loose box round a region as `lib.masks.shapes.draw_loose` does round a path."""
    frames, height, width = region.shape
    boxes = smooth_path(boxes_of(region), 2)
    grown = np.maximum((boxes[:, 2:] - boxes[:, :2]) * MARGIN, scaled(LEAST_MARGIN, height, width))
    boxes = np.concatenate([boxes[:, :2] - grown, boxes[:, 2:] + grown], axis=1)
    mask = np.zeros(region.shape, np.bool_)
    for start in (0, *range(1, frames, frame_stride)):
        group = slice(start, start + (frame_stride if start else 1))
        if not np.isnan(boxes[group]).all():
            mask[group] = draw_box(widest(boxes[group]), region[0])
    return mask


def prepare(model: VideoModel, scene: HeldOutScene) -> Case:
    """Render a held-out scene and encode it and its edit."""
    edit = scene.edit
    truth = render_truth(edit)
    region = edit_region(truth.source, truth.edited)
    outline = [outlined_path(region)]
    masks = {"edit": loose_mask(region, model.frame_stride)}
    masks |= {"tight": draw_tight(outline, region.shape), "noisy": draw_noisy(outline, region.shape)}
    references = {index: render(edit.edited)[0][index] for index in edit.references}

    @cache
    def encode(kind: str) -> tuple[Encoded, Encoded]:
        mask = masks.get(kind, masks["edit"])
        source = encode_source(model, truth.source, mask, prompt_of(edit.source), kind, NUM_COPIES, TRIGGER)
        shown = (truth.source, truth.edited[0], references, mask, prompt_of(edit.edited), "", kind)
        return source, encode_edit(model, *shown, reference_sample="placed")

    return Case(scene.name, edit.kind, edit.source.camera != Camera(), truth, masks, encode)


def outlined_path(region: Mask) -> RegionPath:
    """Return the path of a region as a detector would follow it that makes no mistake."""
    boxes = boxes_of(region)
    nothing = np.zeros(len(region), np.bool_)
    return RegionPath(0, region[0], WHOLE_OBJECT, [], int(region[0].sum()), boxes, boxes, nothing, 1.0)


def boxes_of(region: Mask) -> Boxes:
    """Return the box of each frame of a region (frames, height, width): (frames, 4), NaN where it is empty."""
    return np.array([box_of(plane) if plane.any() else np.full(4, np.nan) for plane in region])


def training_edit(number: int) -> EditedScene:
    """Return a scene of the train split with an edit of any kind, whose mask counts alone."""
    kind = str(np.random.default_rng((KIND_STREAM, number)).choice(TRAIN_KINDS))
    return number_edit("train", number, kind)


def training_sample(model: VideoModel, edit: EditedScene, kind: str) -> Sample:
    """Encode a sample of a clip for a shared LoRA; never its edit.

    Args:
        edit: of the clip.
        kind: `own`: the first window with the mask of the edit; `random`: a window anywhere with a mask of no edit;
            `naive`: the first window, all to be regenerated; `copy`: as `own`, in other colours; `short`, `small`: as
            `own`, with half the frames, or at half the size; `naive_small`: as `naive`, at half the size.
    """
    video = render(edit.source)[0]
    start, mask_kind = 0, "first_frame" if kind.startswith("naive") else "edit"
    region = edit_region(video[:NUM_FRAMES], render(edit.edited)[0][:NUM_FRAMES])
    mask = loose_mask(region, model.frame_stride)
    if kind == "random":
        generator = np.random.default_rng((MASK_STREAM, edit.source.texture_seed))
        start = int(generator.integers(len(video) - NUM_FRAMES + 1))
        mask = draw_random_mask(generator, (NUM_FRAMES, HEIGHT, WIDTH), model.frame_stride)
    window = video[start : start + NUM_FRAMES]
    if kind == "short":
        window, mask = window[:SHORT], mask[:SHORT]
    if kind.endswith("small"):
        window = np.stack(
            [cv2.resize(frame, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA) for frame in window]
        )
        mask = mask[:, ::2, ::2] | mask[:, 1::2, ::2] | mask[:, ::2, 1::2] | mask[:, 1::2, 1::2]
    prompt = prompt_of(edit.source)
    if kind == "copy":
        window, prompt = recolour_video(window, 1 + edit.source.texture_seed % NUM_COPIES), TRIGGER
    return sample_of(encode_source(model, window, mask, prompt, mask_kind)["source"])
