"""The sections of config.yaml on training: a clip's LoRA, and the one that all clips may start from."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from lib.config.families import LoraLayers
from lib.config.sections import MOST_COPIES, NonNegativeInt, PositiveInt, Probability, ReferenceContext, Section, Seed

TrainedExperts = Literal["all", "high_noise"]
"""Which denoisers get a LoRA, see `lib.config.sections.ChosenExperts`."""


LoraFormat = Literal["diffusers", "comfyui"]
"""Whose names the layers of a LoRA file have, see `lib.inputs.lora_names`."""


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
    reference_context: ReferenceContext = Field(
        "generation",
        description="what the model's image encoder is shown beside a still reference; generation: what generation is"
        " shown (sampling.image_context); source: the source's frame 0, as in stage 1; own: the source frame that the"
        " reference was edited from, as in the paper's code",
    )
    reference_caption: Literal["edit", "own"] = Field(
        "edit",
        description="the prompt of a reference's sample; edit: that of the edit, as in generation; own: the caption of"
        " that reference, as in the paper's code; a prompt in edit.yaml is that of all",
    )
    reference_draws: Annotated[int, Field(ge=1, le=1024)] = Field(
        1,
        description="references, in turn, that one step of stage 2 sees in one batch, each at a noise level of its own;"
        " above their number some are seen at several",
    )
    rank: Annotated[int, Field(ge=1, le=4096)] = Field(16, description="LoRA rank")
    alpha: Annotated[float, Field(gt=0)] = Field(16.0, description="LoRA scale numerator; scale = alpha / rank")
    layers: list[LoraLayers] = Field(
        list(get_args(LoraLayers)), min_length=1, description="kinds of linear layers that are adapted"
    )
    experts: TrainedExperts = Field(
        "all",
        description="of a model with an expert for high and one for low noise levels, those that get a LoRA, each with"
        " all steps of a stage at its own levels; high_noise: only the one that decides the motion, in half the time",
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
    seed: Seed = Field(0, description="of adapter weights, noise and sigmas")
    decouple_lora: str | None = Field(
        None,
        description="LoRA of an earlier run to take for stage 1 instead of training one, a path with {clip} and {mask}"
        " in it, such as results/{clip}/lora/{mask}/decouple.safetensors; clips without such a file are trained;"
        " another program's names serve too",
    )
    shared: str = Field(
        "none",
        min_length=1,
        description="the LoRA that stage 1 starts from; none: a fresh one, as in the paper; batch: one that this run"
        " trains once on clips of its own (section `shared`); or the file of an earlier run, such as"
        " results/shared/{mask}.safetensors, {mask} being the kind of mask: kinds without such a file start fresh",
    )
    lora_format: LoraFormat | None = Field(
        None,
        description="also write each LoRA that videos are made with as other programs take it, beside it, such as"
        " decouple.comfyui.safetensors; comfyui: under ComfyUI's names, which are the original code's; diffusers: under"
        " the names that it has already; in both alpha is in the weights, and each of two experts has a file; null: no"
        " copies",
    )


class SharedSection(Section):
    """The LoRA that stage 1 of every clip starts from (`training.shared`): its own training, and the clip's from it."""

    clips: PositiveInt | None = Field(
        200, description="clips of the batch that it is trained on, chosen by training.seed; null: all"
    )
    samples_per_clip: Annotated[int, Field(ge=1, le=1000)] = Field(
        1,
        description="of each of them: its first frames with the mask of its edits, then windows anywhere in it with"
        " random masks; its edits are never shown",
    )
    scale: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5,
        description="width and height of these samples as a share of the run's: what masks mean is learnt as well at"
        " half the size, where a sample takes a sixth of the time",
    )
    held_out_clips: NonNegativeInt = Field(
        4, description="of the clips, those that only measure the loss on the way; at most a fifth"
    )
    steps: PositiveInt = Field(2000, description="of its training")
    samples_per_step: Annotated[int, Field(ge=1, le=1024)] = Field(
        4, description="samples of different clips that one step sees, as many at once as memory holds"
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(1e-4, description="AdamW")
    decay_share: Probability = Field(
        0.5, description="share of its steps, the last ones, over which the rate falls to 0; 0: constant"
    )
    clip_steps: NonNegativeInt = Field(
        15,
        description="steps of stage 1 from it, in place of training.decouple_steps; 0: clips take it as it is, and"
        " train nothing",
    )
    clip_layers: list[LoraLayers] = Field(
        ["self_attention"],
        min_length=1,
        description="kinds of its layers that stage 1 changes; the others keep what it knows",
    )
    clip_learning_rate: Annotated[float, Field(gt=0)] = Field(
        1e-4, description="AdamW in stage 1 from it, in place of training.learning_rate"
    )
    clip_recoloured_share: Probability = Field(
        0.0, description="share of these steps on recoloured copies, in place of training.recoloured_share"
    )
    appearance_steps: NonNegativeInt = Field(
        50, description="steps of stage 2 from it, in place of training.appearance_steps"
    )
    appearance_learning_rate: Annotated[float, Field(gt=0)] | None = Field(
        None, description="AdamW in stage 2 from it; null: as without it"
    )
