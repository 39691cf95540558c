"""Generate an edited video from its encoded first frame, source background and mask."""

from pathlib import Path

from lib.config.families import family_of
from lib.config.sections import (
    AttentionBackend,
    ChosenExperts,
    MaskSection,
    ModelSection,
    SamplingSection,
    VideoSection,
)
from lib.core.files import read_json, whole_file, write_json
from lib.core.provenance import describe
from lib.diffusion.encoding import load_encoded
from lib.diffusion.generation import EditedClip, Sampling, generate_video
from lib.execution.attention import use_attention
from lib.execution.devices import describe_device
from lib.masks.compositing import correct_edited
from lib.stages.job import Files, Job, Params
from lib.stages.model import load_transformer
from lib.training.lora import ExtraLora, load_for_generation
from lib.training.lora_formats import read_lora, scaled_factors
from lib.video.arrays import DecodedVideo
from lib.video.probing import VideoInfo
from lib.video.reading import read_first_frame, read_mask, read_video
from lib.video.sound import read_sound
from lib.video.writing import write_lossless, write_viewable

EVERY: ChosenExperts = "all"


class Inputs(Files):
    """What the model is shown, the LoRA if any, those beside it, and the pixels of clip and edit."""

    encoded: Path
    lora: Path | None
    extra_loras: tuple[Path, ...] = ()
    first_frame: Path
    mask: Path
    video: Path
    facts: Path


class Outputs(Files):
    """The edited video for people, the same without loss, and what made it."""

    video: Path
    lossless: Path
    provenance: Path


class Generate(Params):
    """How the video is generated.

    model: name, family, dtype, weights, device, download and memory; mask: correct_edited; video: crf.
    sampling: all but negative_prompt and image_context, each the method's own, the edit's or the run's.
    windows: of the clip. mask_kind: see `lib.diffusion.conditioning.make_keep_mask`.
    extra_scales: of the LoRAs beside the clip's own; extra_experts: where not all get each of them.
    attention: backend, see `lib.execution.attention`.
    """

    model: ModelSection
    sampling: SamplingSection
    mask: MaskSection
    video: VideoSection
    windows: list[tuple[int, int]]
    mask_kind: str
    extra_scales: tuple[float, ...] = ()
    extra_experts: tuple[ChosenExperts, ...] = ()
    attention: AttentionBackend | None = None


def generate(inputs: Inputs, outputs: Outputs, params: Generate, job: Job) -> None:
    """Write an edited video."""
    clip, (start, stop) = _read_clip(inputs, params), params.windows[0]
    size = family_of(params.model.family).latents_shape(stop - start, *clip.source_video.shape[1:3])
    model, device = load_transformer(params.model, job, latents_shape=size, training=False)
    experts = params.extra_experts or [EVERY for _ in inputs.extra_loras]
    extra = [
        ExtraLora(scaled_factors(read_lora(path, params.model.family)), scale, chosen)
        for path, scale, chosen in zip(inputs.extra_loras, params.extra_scales, experts, strict=True)
    ]
    originals = family_of(params.model.family).original_layers
    load_for_generation(model, inputs.lora, params.sampling.lora_scale, extra, originals)
    if backend := params.attention:
        model.experts.change("attention", lambda _, transformer: use_attention(transformer, backend))
    encoded = load_encoded(inputs.encoded, device)
    video = generate_video(model, encoded, clip, params.windows, _sampling(params.sampling))
    write_edited(outputs, params.video, video, inputs.facts, inputs.video)
    given = [
        path
        for path in (inputs.encoded, inputs.lora, *inputs.extra_loras, inputs.first_frame, inputs.mask, inputs.video)
        if path
    ]
    made = describe("generate", params.described(), given, [outputs.video, outputs.lossless], describe_device(device))
    write_json(outputs.provenance, {**made, "execution": model.execution})


def _read_clip(inputs: Inputs, params: Generate) -> EditedClip:
    source, mask = read_video(inputs.video), read_mask(inputs.mask)
    first_frame = correct_edited(read_first_frame(inputs.first_frame), source[0], mask[0], params.mask.correct_edited)
    return EditedClip(source_video=source, first_frame=first_frame, edit_mask=mask, mask_kind=params.mask_kind)


def _sampling(section: SamplingSection) -> Sampling:
    return Sampling(
        num_steps=section.num_steps,
        guidance=section.guidance,
        shift=section.shift,
        seed=section.seed,
        lock_latents=section.lock_latents,
        composite=section.composite,
        feather=section.feather,
        cache_threshold=section.cache_threshold,
    )


def write_edited(outputs: Outputs, video: VideoSection, edited: DecodedVideo, facts: Path, source: Path) -> None:
    """Write an edited video with the source's times, sound and pixel shape.

    Args:
        outputs: video and lossless.
        video: crf.
        edited: (frames, height, width, 3) uint8 RGB.
        facts: of the source, `source_video.json`.
        source: with its sound.
    """
    known, sound = read_json(facts), read_sound(source)
    with whole_file(outputs.lossless) as path:
        write_lossless(path, edited, known["times"], sound)
    with whole_file(outputs.video) as path:
        write_viewable(path, edited, known["times"], video.crf, sound, VideoInfo(**known["source"]))
