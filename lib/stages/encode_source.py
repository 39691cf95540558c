"""Encode a clip for stage 1: the source, window by window, and its recoloured copies."""

from pathlib import Path

from lib.config.sections import CaptionSection, ModelSection
from lib.config.training_sections import TrainingSection
from lib.core.files import read_json, write_json
from lib.core.provenance import describe
from lib.diffusion import encoding
from lib.execution.devices import describe_device
from lib.masks.edit_mask import union_masks
from lib.masks.refusals import refuse
from lib.stages.job import Files, Job, Params
from lib.stages.model import load_encoders
from lib.video.reading import read_mask, read_video


class Inputs(Files):
    """The clip, its caption, and the masks of the edits that its LoRA is trained for, empty of those not made."""

    video: Path
    caption: Path
    masks: tuple[Path, ...]
    mask_facts: tuple[Path, ...]


class Outputs(Files):
    """Groups of tensors, see `lib.diffusion.encoding.Encoded`; and what made them."""

    encoded: Path
    provenance: Path


class EncodeSource(Params):
    """What is encoded, and by which model.

    model: name, family, dtype, device, download and memory; training: recoloured_copies; caption: trigger_word.
    windows: of the clip. mask_kind: see `lib.diffusion.conditioning.make_keep_mask`.
    """

    model: ModelSection
    training: TrainingSection
    caption: CaptionSection
    windows: list[tuple[int, int]]
    mask_kind: str


def encode_source(inputs: Inputs, outputs: Outputs, params: EncodeSource, job: Job) -> None:
    """Write the samples of stage 1."""
    refuse(inputs.mask_facts)
    model, device = load_encoders(params.model, job)
    prompt = read_json(inputs.caption)["prompt"]
    encoded = encoding.encode_source(
        model,
        read_video(inputs.video),
        union_masks([read_mask(path) for path in inputs.masks]),
        prompt,
        mask_kind=params.mask_kind,
        num_recoloured=params.training.recoloured_copies,
        recoloured_prompt=params.caption.trigger_word,
        windows=params.windows,
    )
    encoding.save_encoded(encoded, outputs.encoded)
    settings = {**params.described(), "prompt": prompt}
    given = [inputs.video, inputs.caption, *inputs.masks]
    write_json(outputs.provenance, describe("encode", settings, given, [outputs.encoded], describe_device(device)))
