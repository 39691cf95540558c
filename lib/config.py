"""The settings of a run: one pydantic model per section, each key with its unit and default.

The defaults are the paper's. A run's settings are laid over a base: the preset that the run's model
names, or config.yaml (the demo batch) when the run names no model of its own.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lib.errors import InputError, Problem, nearest_known
from lib.recolouring import MOST_COPIES

PRESETS = Path("workflow/presets")
DEFAULT_RUN = Path("config.yaml")

MaskMethod = Literal["yolo", "yoloe", "sam2", "optical_flow", "static_box", "whole_frame"]
MaskShape = Literal["loose_box", "tight", "noisy", "whole_frame"]
MaskKind = Literal["edit", "loose_box", "tight", "noisy", "whole_frame", "first_frame", "all_ones", "all_zeros"]
"""What the model is told to keep: see `lib.conditioning.make_keep_mask`. A shape: the edit's mask, drawn so."""

LoraLayers = Literal["self_attention", "cross_attention", "feed_forward"]

FAMILY_LIMITS = {"wan": (4, 16)}
"""Per model family: frames that share a latent frame, and what width and height must divide by (pixels).

Stated here so that a wrong size is refused without loading a model; a test holds it against the adapters.
"""

RESERVED_METHOD_NAMES = {"encoded", "lora", "masks", "references"}  # folders beside the methods' in results/

PositiveInt = Annotated[int, Field(ge=1)]
NonNegativeInt = Annotated[int, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """What every section shares: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class ModelSection(Section):
    """The image-to-video model."""

    name: str = Field(
        "wan2.1-i2v-14b-480p",
        description="a preset of workflow/presets, a local folder in diffusers layout, or a hub id",
    )
    family: Literal["wan"] = Field("wan", description="the adapter in lib/models that drives it")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the frozen weights; auto: bfloat16 on a GPU, float32 on the CPU"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: the GPU when there is one")
    memory: Literal["auto", "fast", "balanced", "low"] = Field(
        "auto",
        description="how the GPU's memory is used; fast: keep as much as fits, balanced: compute activations again,"
        " low: bring weights from host memory block by block; auto: the first that fits",
    )
    weights: Literal["native", "fp8", "fp8_products"] = Field(
        "native",
        description="how the frozen transformer's weights are kept; fp8: in 8 bits, half the memory;"
        " fp8_products: multiplied so too",
    )
    download: bool = Field(False, description="allow models to be fetched from the hub; otherwise local only")


class VideoSection(Section):
    """Which frames of the source are edited, and at what size."""

    num_frames: PositiveInt = Field(49, description="frames of the edited video; 4N+1 for Wan")
    width: PositiveInt = Field(832, description="pixels of a landscape clip; a portrait clip swaps both")
    height: PositiveInt = Field(480, description="pixels of a landscape clip; a portrait clip swaps both")
    start: NonNegativeInt = Field(0, description="first source frame used, 0-based")
    stride: PositiveInt = Field(1, description="take every n-th source frame; 1: consecutive frames")
    max_windows: PositiveInt = Field(
        1,
        description="longer clips are edited whole, in up to so many overlapping windows of num_frames; 1: only their"
        " first num_frames",
    )
    window_overlap: PositiveInt = Field(
        5, description="frames that a window takes over from the end of the one before; 4N+1 for Wan"
    )
    crf: Annotated[int, Field(ge=0, le=51)] = Field(
        15, description="H.264 quality of the videos for viewing; lower is better"
    )
    keep_lossless: bool = Field(
        True,
        description="keep the lossless edited video beside the H.264 one; if not, a changed metric generates anew",
    )


class CaptionSection(Section):
    """Prompts: trigger word, then Florence-2's caption."""

    model: str = Field("florence-community/Florence-2-large", description="local folder or hub id of a Florence-2")
    task: Literal["<CAPTION>", "<DETAILED_CAPTION>", "<MORE_DETAILED_CAPTION>"] = Field(
        "<DETAILED_CAPTION>", description="Florence-2 task token"
    )
    trigger_word: str = Field("p3rs0n", description="put before each caption; empty: none")
    num_beams: PositiveInt = Field(3, description="beam search width")
    max_new_tokens: PositiveInt = Field(256, description="longest caption, in tokens")


class MaskSection(Section):
    """Masks from what the edit changed, followed through the clip."""

    methods: list[MaskMethod] = Field(
        list(get_args(MaskMethod)),
        min_length=1,
        description="rungs of the ladder, tried in this order; yoloe and sam2 only where their weights are given",
    )
    detector: str | None = Field("yolo11x.pt", description="folder made by demo/make_models.py, or ultralytics weights")
    confidence: Probability = Field(0.1, description="lowest detection confidence that is tracked")
    classes: list[str] | None = Field(None, description="detector classes to consider; null: all")
    yoloe: str | None = Field(None, description="weights of ultralytics' YOLOE, prompted with the edited region")
    sam2: str | None = Field(None, description="weights of ultralytics' SAM 2, prompted with the edited region's box")
    shape: MaskShape = Field(
        "loose_box", description="loose_box: room for another shape; tight, noisy: the edit's own outline, to compare"
    )
    margin: Annotated[float, Field(ge=0, le=2)] = Field(0.15, description="added on each side, share of the box")
    min_margin: NonNegativeInt = Field(16, description="least margin on each side, pixels at 480p")
    smoothing: NonNegativeInt = Field(2, description="frames on each side over which a loose box is smoothed")
    difference_threshold: Annotated[float, Field(gt=0)] = Field(
        6.0, description="colour difference (CIE Lab delta E) from which a pixel counts as edited"
    )
    global_share: Probability = Field(0.65, description="share of edited pixels from which the whole frame is masked")
    min_confidence: Probability = Field(
        0.5, description="a region followed with less is tried by the next method; an edit left with less is flagged"
    )
    below_confidence: Literal["flag", "hold"] = Field(
        "flag", description="such an edit; flag: make it and say so in the report; hold: stop it before any training"
    )
    correct_edited: Literal["none", "colour", "composite"] = Field(
        "none",
        description="of edited frames whose colours drifted outside the mask; colour: match them to the source's;"
        " composite: take the source's pixels there",
    )


class TrainingSection(Section):
    """LoRA fine-tuning on one clip."""

    decouple_steps: NonNegativeInt = Field(100, description="steps of stage 1, on the source clip")
    recoloured_copies: Annotated[int, Field(ge=0, le=MOST_COPIES)] = Field(
        0,
        description="copies of the source clip in other colours that stage 1 learns from too, so that the LoRA learns"
        " the motion and not the source's look; 0: none, as in the paper",
    )
    recoloured_share: Probability = Field(0.67, description="share of stage-1 steps on those copies")
    appearance_steps: NonNegativeInt = Field(100, description="steps of stage 2, only for edits with references")
    appearance_steps_per_reference: NonNegativeInt = Field(
        0, description="steps more of stage 2 for each reference after the first"
    )
    appearance_source_share: Probability = Field(
        0.1,
        description="share of stage-2 steps that repeat the stage-1 samples, so that motion is not forgotten",
    )
    appearance_learning_rate: Annotated[float, Field(gt=0)] | None = Field(
        None, description="AdamW in stage 2; null: learning_rate"
    )
    reference_sample: Literal["still", "placed"] = Field(
        "still",
        description="what stage 2 shows of a reference; still: that frame alone, as in the paper; placed: after the"
        " edited first frame and at its own time, so that the LoRA learns when the look comes",
    )
    rank: PositiveInt = Field(16, description="LoRA rank")
    alpha: Annotated[float, Field(gt=0)] = Field(16.0, description="LoRA scale numerator; scale = alpha / rank")
    layers: list[LoraLayers] = Field(
        list(get_args(LoraLayers)), min_length=1, description="kinds of linear layers that are adapted"
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(1e-4, description="AdamW")
    decay_share: Probability = Field(
        0.0, description="share of a stage's steps, the last ones, over which the rate falls to 0; 0: constant"
    )
    beta1: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="AdamW")
    beta2: Annotated[float, Field(ge=0, lt=1)] = Field(0.99, description="AdamW")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.01, description="AdamW")
    gradient_clip: Annotated[float, Field(gt=0)] = Field(1.0, description="largest gradient norm")
    sigma_shift: Annotated[float, Field(gt=0)] = Field(
        1.0, description="shift of the noise levels trained on; 1: uniform, above: more of those that decide the motion"
    )
    region_weight: Annotated[float, Field(gt=0)] = Field(
        1.0, description="weight in the loss of what is regenerated, where what is kept weighs 1; 1: all alike"
    )
    seed: NonNegativeInt = Field(0, description="of adapter weights, noise and sigmas")
    decouple_lora: str | None = Field(
        None,
        description="LoRA of an earlier run to take for stage 1 instead of training one, a path with {clip} and {mask}"
        " in it, such as results/{clip}/lora/{mask}/decouple.safetensors; clips without such a file are trained",
    )


class SamplingSection(Section):
    """Denoising."""

    num_steps: PositiveInt = Field(30, description="Euler steps")
    guidance: Annotated[float, Field(ge=1)] = Field(5.0, description="classifier-free guidance scale; 1: off")
    shift: Annotated[float, Field(gt=0)] = Field(5.0, description="flow shift of the sigma schedule")
    negative_prompt: str = Field("", description="what guidance steers away from")
    image_context: Literal["edited", "source"] = Field(
        "edited", description="which first frame the model's image encoder is shown"
    )
    lora_scale: Annotated[float, Field(ge=0, le=4)] = Field(
        1.0, description="strength of the LoRA; 0: the model alone; an edit.yaml may set its own"
    )
    lock_latents: bool = Field(
        False, description="put the source's latents back outside the mask at each sampling step"
    )
    composite: bool = Field(False, description="put the source's pixels back outside the mask after decoding")
    feather: Annotated[float, Field(ge=0)] = Field(
        4.0, description="softness of the composite's edge, inside the mask; deviation in pixels at 480p"
    )
    seed: NonNegativeInt = Field(0, description="of the initial noise; an edit.yaml may set its own")


class MetricsSection(Section):
    """What is measured on the edited video."""

    clip_model: str = Field("openai/clip-vit-large-patch14", description="local folder or hub id of a CLIP model")
    background_dilation: NonNegativeInt = Field(
        8, description="pixels by which the mask is grown before the background is measured"
    )


class ReportSection(Section):
    """The page for people."""

    title: str = Field("Edited videos", description="heading of report/index.html")


class MethodSection(Section):
    """What is trained, with which mask, and how the edit is generated; null: as the run's sampling section says."""

    train_mask: MaskKind | None = Field("edit", description="mask the LoRA is trained with; null: no LoRA")
    generate_mask: MaskKind = Field("edit", description="mask given to the model at generation")
    references: bool = Field(True, description="whether stage 2 learns from references, where an edit has any")
    shared_lora: bool = Field(
        True, description="one stage-1 LoRA for all edits of a clip, with the union of their masks; or one for each"
    )
    lora_scale: Annotated[float, Field(ge=0, le=4)] | None = Field(None, description="as in sampling, before edit.yaml")
    lock_latents: bool | None = Field(None, description="as in sampling")
    composite: bool | None = Field(None, description="as in sampling")


UNLOCKED = {"lock_latents": False, "composite": False}
"""Of methods to compare with: what they keep is the model's own doing, whatever the run locks."""

BUILT_IN_METHODS: dict[str, dict[str, Any]] = {
    "mask_lora": {},
    "naive_lora": {"train_mask": "first_frame", "generate_mask": "first_frame", **UNLOCKED},
    "base": {"train_mask": None, "generate_mask": "first_frame", **UNLOCKED},
    "base_masked": {"train_mask": None, "generate_mask": "edit", **UNLOCKED},
    "all_ones": {"train_mask": None, "generate_mask": "all_ones", **UNLOCKED},
    "all_zeros": {"train_mask": None, "generate_mask": "all_zeros", **UNLOCKED},
    "box_mask": {"train_mask": "loose_box", "generate_mask": "loose_box"},
    "tight_mask": {"train_mask": "tight", "generate_mask": "tight"},
    "noisy_mask": {"train_mask": "noisy", "generate_mask": "noisy"},
    "unlocked": UNLOCKED,
    "stage_1_only": {"references": False},
    "own_lora": {"shared_lora": False},
    "locked": {"lock_latents": True, "composite": False},
    "composited": {"lock_latents": False, "composite": True},
    "locked_composited": {"lock_latents": True, "composite": True},
}


class Config(Section):
    """Every setting of a run."""

    clips: str = Field("clips", description="clips folder, or a .tsv/.csv sheet; relative to the working directory")
    results: str = Field("results", description="folder for everything that is made")
    methods: list[str] = Field(["mask_lora"], min_length=1, description="methods to run; see method_presets")
    method_presets: dict[str, MethodSection] = Field(
        default_factory=dict, description="methods of your own, by name, beside the built-in ones"
    )
    min_free_disk: Annotated[float, Field(ge=0)] = Field(
        1.0, description="GiB that must stay free on the results disk after the run"
    )
    model: ModelSection = Field(default_factory=ModelSection)  # type: ignore[arg-type]
    video: VideoSection = Field(default_factory=VideoSection)  # type: ignore[arg-type]
    caption: CaptionSection = Field(default_factory=CaptionSection)  # type: ignore[arg-type]
    mask: MaskSection = Field(default_factory=MaskSection)  # type: ignore[arg-type]
    training: TrainingSection = Field(default_factory=TrainingSection)  # type: ignore[arg-type]
    sampling: SamplingSection = Field(default_factory=SamplingSection)  # type: ignore[arg-type]
    metrics: MetricsSection = Field(default_factory=MetricsSection)  # type: ignore[arg-type]
    report: ReportSection = Field(default_factory=ReportSection)  # type: ignore[arg-type]

    @field_validator("training")
    @classmethod
    def _decouple_lora_is_a_pattern(cls, training: TrainingSection) -> TrainingSection:
        pattern = training.decouple_lora
        if pattern is not None and {"clip", "mask"} != _fields_of(pattern):
            raise ValueError(
                f"decouple_lora '{pattern}'; expected a path with {{clip}} and {{mask}} in it, such as "
                "results/{clip}/lora/{mask}/decouple.safetensors"
            )
        return training

    @field_validator("method_presets")
    @classmethod
    def _names_make_folders(cls, presets: dict[str, MethodSection]) -> dict[str, MethodSection]:
        for name in presets:
            if not name.replace("_", "").isalnum() or not name.isascii() or name in RESERVED_METHOD_NAMES:
                raise ValueError(
                    f"method name '{name}'; expected letters, digits and underscores, and none of "
                    f"{', '.join(sorted(RESERVED_METHOD_NAMES))}"
                )
        return presets

    @model_validator(mode="after")
    def _methods_are_known(self) -> "Config":
        known = sorted({*BUILT_IN_METHODS, *self.method_presets})
        for name in self.methods:
            if name not in known:
                raise ValueError(f"methods: unknown method '{name}'; expected {nearest_known(name, known)}")
        if len(set(self.methods)) != len(self.methods):
            raise ValueError(f"methods: a method twice in {self.methods}; expected each once")
        return self

    @model_validator(mode="after")
    def _sizes_fit_the_model(self) -> "Config":
        frame_stride, size_multiple = FAMILY_LIMITS[self.model.family]
        num_frames = self.video.num_frames
        if num_frames % frame_stride != 1:
            below = max(1, (num_frames - 1) // frame_stride * frame_stride + 1)
            raise ValueError(
                f"video.num_frames: {num_frames}; expected {frame_stride}N+1, such as {below} or {below + frame_stride}"
            )
        overlap = self.video.window_overlap
        if self.video.max_windows > 1 and (overlap % frame_stride != 1 or overlap >= num_frames):
            raise ValueError(
                f"video.window_overlap: {overlap}; expected {frame_stride}N+1 and less than num_frames ({num_frames})"
            )
        for key, size in (("width", self.video.width), ("height", self.video.height)):
            if size % size_multiple:
                below = max(size_multiple, size // size_multiple * size_multiple)
                raise ValueError(
                    f"video.{key}: {size}; expected a multiple of {size_multiple} pixels, such as {below} "
                    f"or {below + size_multiple}"
                )
        return self

    def method(self, name: str) -> MethodSection:
        """Return the method of that name, the run's own before the built-in one."""
        return self.method_presets.get(name) or MethodSection.model_validate(BUILT_IN_METHODS[name])


def load_config(given: Mapping[str, Any], root: Path) -> Config:
    """Lay the given settings over their base and check all of them.

    Args:
        given: what the user set (--configfile and --config); may be empty.
        root: the folder that holds config.yaml and workflow/.

    Raises:
        InputError: with one problem for each wrong key or value.
    """
    model = given.get("model")
    name = model.get("name") if isinstance(model, Mapping) else None
    if name is None:
        base = _read_yaml(root / DEFAULT_RUN)
    elif name in preset_names(root):
        base = _read_yaml(root / PRESETS / f"{name}.yaml")
    else:
        base = {}
    merged = _merge(base, given)
    if name in preset_names(root):
        merged["model"]["name"] = base["model"]["name"]
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        raise InputError([_as_problem(details) for details in error.errors()]) from None


def preset_names(root: Path) -> list[str]:
    """Return the names that `model.name` may take besides folders and hub ids."""
    return sorted(path.stem for path in (root / PRESETS).glob("*.yaml"))


def json_schema() -> str:
    """Return the JSON schema of config.yaml, as text; workflow/schemas holds it."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _fields_of(pattern: str) -> set[str | None]:
    """Return the names in braces of a text; one that is no such text has none that are right."""
    try:
        return {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}
    except ValueError:
        return {None}


def _read_yaml(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict), f"{path} must hold a mapping"
    return content


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def _as_problem(details: Any) -> Problem:
    location = [str(part) for part in details["loc"]]
    key = ".".join(location)
    if details["type"] == "extra_forbidden":
        return Problem(key, "an unknown key", nearest_known(location[-1], _known_keys(location[:-1])))
    if details["type"] == "value_error":  # of our validators, which say `found; expected ...`
        message = str(details["ctx"]["error"])
        if not key:  # and name the key themselves where they look at several
            key, _, message = message.partition(": ")
        found, _, expected = message.partition("; expected ")
        return Problem(key, found, expected)
    return Problem(key, repr(details["input"]), details["msg"].removeprefix("Input should be "))


def _known_keys(section: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for name in section:
        if name not in model.model_fields:  # the name of a method: one level of free keys
            continue
        annotation = model.model_fields[name].annotation
        candidates = [annotation, *get_args(annotation)]
        model = next(kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel))
    return sorted(model.model_fields)
