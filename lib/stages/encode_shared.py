"""Encode what a clip gives to the LoRA that all clips start from: windows of it with masks, never its edits."""

from pathlib import Path

import numpy as np

from lib.config.sections import ModelSection, VideoSection
from lib.config.training_sections import SharedSection
from lib.core.files import read_json, write_json
from lib.core.provenance import describe
from lib.diffusion.encoding import Encoded, save_encoded
from lib.diffusion.shared_samples import Window, choose_windows, encode_window, shrink
from lib.execution.devices import describe_device
from lib.masks.edit_mask import union_masks
from lib.stages.job import Files, Job, Params
from lib.stages.model import load_encoders
from lib.video.arrays import DecodedVideo, Mask
from lib.video.crops import Crop, apply_crop
from lib.video.reading import read_frames, read_mask, read_video
from lib.video.windows import sample_indices


class Inputs(Files):
    """The user's video, its used frames and their facts, its caption, and the masks of its edits."""

    source: Path
    video: Path
    facts: Path
    caption: Path
    masks: tuple[Path, ...]


class Outputs(Files):
    """Groups of tensors, see `lib.diffusion.encoding.Encoded`; and what made them."""

    encoded: Path
    provenance: Path


class EncodeShared(Params):
    """What is encoded, and by which model.

    model: name, family, dtype, device, download and memory; video: start, stride; shared: samples_per_clip, scale.
    clip: its id. seed: of the run. length: frames of a window. num_usable: frames of the source at the run's stride.
    mask_kind: see `lib.diffusion.conditioning.make_keep_mask`.
    """

    model: ModelSection
    video: VideoSection
    shared: SharedSection
    clip: str
    seed: int
    length: int
    num_usable: int
    mask_kind: str


def encode_shared(inputs: Inputs, outputs: Outputs, params: EncodeShared, job: Job) -> None:
    """Write a clip's samples for the shared LoRA."""
    masks = union_masks([read_mask(path) for path in inputs.masks])
    num_masked = len(masks) if masks.any() else 0  # empty: none of the clip's edits is made, see `lib.masks.refusals`
    windows = choose_windows(
        params.clip, params.seed, params.shared.samples_per_clip, num_masked, params.num_usable, params.length
    )
    model, device = load_encoders(params.model, job)
    prompt, encoded = read_json(inputs.caption)["prompt"], Encoded()
    for number, window in enumerate(windows):
        video = _read_window(inputs, params, window)
        mask = _own_mask(masks, window, params.length) if window.has_own_mask else None
        video, mask = shrink(video, mask, params.shared.scale, model.size_multiple)
        (group,) = encode_window(model, video, mask, window.seed, prompt, params.mask_kind).values()
        encoded[f"source_{number:02d}"] = group
        frames = f"frames {window.start} to {window.start + params.length - 1}"
        print(f"window {number + 1} of {len(windows)}: {frames}, {video.shape[2]} x {video.shape[1]} pixels")
    save_encoded(encoded, outputs.encoded)
    settings = {**params.described(), "prompt": prompt, "windows": [window.__dict__ for window in windows]}
    given = [inputs.source, inputs.video, inputs.caption, *inputs.masks]
    write_json(
        outputs.provenance, describe("encode_shared", settings, given, [outputs.encoded], describe_device(device))
    )


def _read_window(inputs: Inputs, params: EncodeShared, window: Window) -> DecodedVideo:
    """Read the frames that the run uses where a window lies in them, and others from the user's video."""
    facts = read_json(inputs.facts)
    if window.start + params.length <= len(facts["indices"]):
        return read_video(inputs.video)[window.start : window.start + params.length]
    crop = Crop(**facts["crop"])
    first = params.video.start + window.start * params.video.stride
    indices = sample_indices(first, params.video.stride, params.length)
    video, _ = read_frames(inputs.source, indices, lambda picture: apply_crop(picture, crop))
    return video


def _own_mask(masks: Mask, window: Window, length: int) -> Mask:
    return np.asarray(masks[window.start : window.start + length])
