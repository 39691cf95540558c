"""The sections of config.yaml: one pydantic model each, every key with its unit and default, the paper's."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lib.config.families import FAMILIES, check_family

MOST_COPIES = 11  # recoloured copies: six orders of three channels, each inverted or not, but for the clip itself

MemoryMode = Literal["auto", "fast", "balanced", "low"]
WeightStore = Literal["native", "fp8", "fp8_products", "gguf"]

MaskMethod = Literal["yolo", "yoloe", "sam2", "optical_flow", "static_box", "whole_frame"]
"""Rungs of the ladder by which a region is followed, from the top."""

MaskShape = Literal["loose_box", "tight", "noisy", "whole_frame"]
Heeded = Literal["heed", "approved_only", "ignore"]
MaskKind = Literal["edit", MaskShape, "first_frame", "all_ones", "all_zeros"]
"""What the model is told to keep: see `lib.diffusion.conditioning.make_keep_mask`.

A shape: the edit's mask, drawn so.
"""

ReferenceContext = Literal["generation", "source", "own"]
"""Whose picture the image encoder is shown beside a still reference, see `lib.diffusion.encoding.encode_edit`."""

AttentionBackend = Literal[
    "sage",
    "flash",
    "flash_varlen",
    "flex",
    "xformers",
    "_native_cudnn",
    "_native_efficient",
    "_native_flash",
    "_native_math",
]
"""Names of diffusers' attention backends, but for those that fetch a kernel when they are used."""

ChosenExperts = Literal["all", "high_noise", "low_noise"]
"""Denoisers of a model that has one for high and one for low noise levels; of any other all three mean the only one."""

MOST = 1_000_000  # of any count: what is above is a slip of the finger, and planning would take all memory
PositiveInt = Annotated[int, Field(ge=1, le=MOST)]
NonNegativeInt = Annotated[int, Field(ge=0, le=MOST)]
Pixels = Annotated[int, Field(ge=1, le=16_384)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """What every section shares: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    def only(self, *keys: str) -> dict[str, Any]:
        """Return some keys with their values: what a rule depends on, and nothing else."""
        return {key: getattr(self, key) for key in keys}

    @classmethod
    def holding(cls, given: Mapping[str, Any]) -> Self:
        """Make a section of the keys of `only` alone.

        Reading any other is an AttributeError: with its default in its place, a stage would depend on a key that its
        rule does not know, and not run again when that key changes.
        """
        unknown = given.keys() - cls.model_fields.keys()
        assert not unknown, f"{cls.__name__} has no {sorted(unknown)}"
        section = cls.model_construct(**given)
        for key in cls.model_fields.keys() - given.keys():
            section.__dict__.pop(key)
        return section

    def held(self) -> dict[str, Any]:
        """Return the keys that the section has, with their values."""
        return dict(self.__dict__)


class ModelSection(Section):
    """The image-to-video model."""

    name: str = Field(
        "wan2.1-i2v-14b-480p",
        description="a preset of workflow/presets, a local folder in diffusers layout, or a hub id",
    )
    family: Annotated[str, AfterValidator(check_family)] = Field(
        "wan", json_schema_extra={"enum": [*sorted(FAMILIES)]}, description="the adapter in lib/models that drives it"
    )
    transformer_files: list[str] = Field(
        default_factory=list,
        max_length=2,
        description="files of the denoiser's weights, in place of those in the model's folder: .safetensors in 16 or 32"
        " bits or fp8_scaled, or .gguf, under ComfyUI's, the original or diffusers' names; one for each expert, high"
        " noise first; none: the folder's",
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the frozen weights; auto: bfloat16 on a GPU, float32 on the CPU"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: the GPU when there is one")
    memory: MemoryMode = Field(
        "auto",
        description="how the GPU's memory is used; fast: keep as much as fits, balanced: compute activations again,"
        " low: bring weights from host memory block by block; auto: the first that fits",
    )
    weights: WeightStore = Field(
        "native",
        description="how the frozen transformer's weights are kept; fp8: in 8 bits, half the memory;"
        " fp8_products: multiplied so too; gguf: as .gguf files in transformer_files have them",
    )
    download: bool = Field(False, description="allow models to be fetched from the hub; otherwise local only")

    @property
    def files_by_key(self) -> dict[str, str]:
        """The files of `transformer_files`, each under a key of its own."""
        return {f"model.transformer_files.{number}": path for number, path in enumerate(self.transformer_files)}


class VideoSection(Section):
    """Which frames of the source are edited, and at what size."""

    num_frames: Annotated[int, Field(ge=1, le=10_000)] = Field(
        49, description="frames of the edited video; a multiple of those that share a latent, and one: 4N+1"
    )
    width: Pixels = Field(832, description="pixels of a landscape clip; a portrait clip swaps both")
    height: Pixels = Field(480, description="pixels of a landscape clip; a portrait clip swaps both")
    start: NonNegativeInt = Field(0, description="first source frame used, 0-based")
    stride: PositiveInt = Field(1, description="take every n-th source frame; 1: consecutive frames")
    max_windows: Annotated[int, Field(ge=1, le=1000)] = Field(
        1,
        description="longer clips are edited whole, in up to so many overlapping windows of num_frames; 1: only their"
        " first num_frames",
    )
    window_overlap: PositiveInt = Field(
        5, description="frames that a window takes over from the end of the one before; as num_frames, 4N+1"
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
    num_beams: Annotated[int, Field(ge=1, le=64)] = Field(3, description="beam search width")
    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] = Field(256, description="longest caption, in tokens")


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
    object_margin: Annotated[float, Field(ge=0, le=2)] = Field(
        0.05, description="in place of margin where the region is a whole object, in frames in which it was detected"
    )
    object_min_margin: NonNegativeInt = Field(8, description="in place of min_margin there, pixels at 480p")
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


class ExtraLora(Section):
    """A LoRA beside the clip's own, such as one that makes do with few denoising steps."""

    path: str = Field(description="safetensors file, under the names of diffusers, ComfyUI or kohya's trainers")
    scale: Annotated[float, Field(ge=-4, le=4)] = Field(1.0, description="its strength")
    experts: ChosenExperts = Field("all", description="of a model with two, for high and low noise levels: who gets it")


class SamplingSection(Section):
    """Denoising."""

    num_steps: PositiveInt = Field(30, description="Euler steps; an edit.yaml may set its own")
    guidance: Annotated[float, Field(ge=1)] = Field(
        5.0, description="classifier-free guidance scale; 1: off; an edit.yaml may set its own"
    )
    shift: Annotated[float, Field(gt=0)] = Field(5.0, description="flow shift of the sigma schedule")
    negative_prompt: str = Field("", description="what guidance steers away from; an edit.yaml may set its own")
    image_context: Literal["edited", "source"] = Field(
        "edited", description="which first frame the model's image encoder is shown"
    )
    lora_scale: Annotated[float, Field(ge=0, le=4)] = Field(
        1.0, description="strength of the LoRA; 0: the model alone; an edit.yaml may set its own"
    )
    lock_latents: bool = Field(
        False, description="put the source's latents back outside the mask at each sampling step"
    )
    cache_threshold: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="for drafts: a denoising step whose first block changes less than this share takes the rest of"
        " the step before (First Block Cache); 0: every step is computed whole",
    )
    composite: bool = Field(False, description="put the source's pixels back outside the mask after decoding")
    feather: Annotated[float, Field(ge=0)] = Field(
        4.0, description="softness of the composite's edge, inside the mask; deviation in pixels at 480p"
    )
    attention: AttentionBackend | None = Field(
        None,
        description="diffusers' attention backend at generation, such as sage where the package sageattention is"
        " installed; null: PyTorch's own",
    )
    extra_loras: list[ExtraLora] = Field(
        default_factory=list,
        description="LoRAs beside the clip's own, each with path, scale and experts; for all methods",
    )
    seed: Seed = Field(0, description="of the initial noise; an edit.yaml may set its own")


class MetricsSection(Section):
    """What is measured on the edited video."""

    clip_model: str = Field("openai/clip-vit-large-patch14", description="local folder or hub id of a CLIP model")
    background_dilation: NonNegativeInt = Field(
        8, description="pixels by which the mask is grown before the background is measured"
    )


class OutsideSection(Section):
    """A method that another tool is: its videos are measured beside ours."""

    videos: str | None = Field(
        None,
        description="path of its video of an edit, {clip} and {edit} in it standing for their names; null: those beside"
        " the edits alone, outside/NAME.mp4",
    )
    step: Annotated[float, Field(gt=0, le=1000)] | None = Field(
        None,
        description="frames of the run from one frame of its videos to the next, counted from the first of both; null:"
        " as numbers of frames and rates tell",
    )


class ReportSection(Section):
    """The page for people."""

    title: str = Field("Edited videos", description="heading of report/index.html")
