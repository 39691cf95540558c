"""Methods: named presets of what is trained, with which mask, and how an edit is generated."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from lib.config.sections import MaskKind, Section

RESERVED_METHOD_NAMES = {"encoded", "lora", "made_first_frames", "made_references", "masks", "references"}
"""Folders beside the methods' in results/."""

MAX_METHOD_NAME = 40  # characters, see `lib.inputs.ids.MAX_ID`


class MethodSection(Section):
    """What is trained, with which mask, and how the edit is generated; null: as the run's sampling section says."""

    train_mask: MaskKind | None = Field("edit", description="mask the LoRA is trained with; null: no LoRA")
    generate_mask: MaskKind = Field("edit", description="mask given to the model at generation")
    references: bool = Field(True, description="whether stage 2 learns from references, where an edit has any")
    shared_lora: bool = Field(
        True, description="one stage-1 LoRA for all edits of a clip, with the union of their masks; or one for each"
    )
    clip_lora: bool = Field(
        True, description="a LoRA trained on the clip; or that of training.shared as it is: the clip trains nothing"
    )
    model: Literal["own", "vace", "contextflow"] = Field(
        "own",
        description="who edits; own: the run's model; vace: that of section vace, with no LoRA; contextflow: the run's"
        " model as section contextflow says, with no LoRA",
    )
    lora_scale: Annotated[float, Field(ge=0, le=4)] | None = Field(None, description="as in sampling, before edit.yaml")
    lock_latents: bool | None = Field(None, description="as in sampling")
    composite: bool | None = Field(None, description="as in sampling")
    num_steps: PositiveInt | None = Field(None, description="as in sampling")
    guidance: Annotated[float, Field(ge=1)] | None = Field(None, description="as in sampling")
    cache_threshold: Annotated[float, Field(ge=0, lt=1)] | None = Field(None, description="as in sampling")


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
    "shared_lora_only": {"clip_lora": False, "references": False},
    "locked": {"lock_latents": True, "composite": False},
    "composited": {"lock_latents": False, "composite": True},
    "locked_composited": {"lock_latents": True, "composite": True},
    "vace": {"train_mask": None, "model": "vace", **UNLOCKED},
    "contextflow": {"train_mask": None, "generate_mask": "first_frame", "model": "contextflow", **UNLOCKED},
    "draft": {"num_steps": 10, "cache_threshold": 0.1},
}
