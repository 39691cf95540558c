# Which clips train the LoRA that all start from, and for which kinds of mask it is still to be trained.
# In: SETTINGS, CLIPS, METHODS, MODEL_FILES. Out: SHARED_CLIPS, SHARED_PARAMS, TO_SHARE, samples_of_shared.
from lib.inputs.layout import given_shared, masks_of_methods
from lib.inputs.shared_lora import check_trained_on, choose_clips, is_made, without_failed

SHARED_CLIPS = choose_clips(CLIPS, SETTINGS.shared.clips, SETTINGS.training.seed)
SHARED_PARAMS = dict(
    version=STAGE_VERSIONS["train_shared"],
    model=SETTINGS.model.only("name", "family", "dtype", "weights", "device", "download", "memory") | FROM_FILES,
    models=MODEL_FILES.of("model.name", only=OF_DENOISERS) | OF_FILES,
    training=EXPERTS
    | SETTINGS.training.only(
        "rank",
        "alpha",
        "layers",
        "beta1",
        "beta2",
        "weight_decay",
        "gradient_clip",
        "sigma_shift",
        "region_weight",
        "seed",
    ),
    shared=SETTINGS.shared.only("steps", "samples_per_step", "learning_rate", "decay_share", "held_out_clips"),
)
# Kinds of masks whose shared LoRA is still to be trained; as soon as it is there, it is a file like any given one.
TO_SHARE = [
    mask
    for mask in masks_of_methods(SETTINGS, LAYOUT)
    if LAYOUT.shared == "batch" and not is_made(Path(LAYOUT.shared_lora(mask)), {**SHARED_PARAMS, "mask_kind": mask})
]


def samples_of_shared(wildcards):
    """The samples of the clips that a shared LoRA is trained on; a clip that failed before holds up none."""
    clips = without_failed(SHARED_CLIPS, Path(SETTINGS.results), wildcards.mask)
    return [sample_of_shared(clip, wildcards.mask) for clip in clips]


def sample_of_shared(clip, mask):
    """The samples of one clip."""
    return f"{LAYOUT.folder(clip)}/encoded/shared_{mask}.safetensors"


def gathered_samples():
    """All samples that shared LoRAs may be trained on."""
    return [sample_of_shared(clip, mask) for mask in TO_SHARE for clip in SHARED_CLIPS]


if workflow.is_main_process and (wrong := check_trained_on(given_shared(SETTINGS, LAYOUT), SHARED_PARAMS["models"])):
    refuse(wrong)
