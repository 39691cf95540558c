"""What keeps a whole run from starting: models and LoRAs, beside what is wrong with single clips."""

from collections.abc import Sequence
from pathlib import Path

from lib.config.families import family_of
from lib.config.settings import Config
from lib.core.errors import Problem
from lib.inputs.checkpoints import check_editor, check_models, check_scores, check_vace, read_lora_targets
from lib.inputs.clips import Batch
from lib.inputs.layout import Layout, given_shared, masks_of_methods
from lib.inputs.lora_files import check_extra_lora, check_reused_loras
from lib.inputs.shared_lora import check_shared_loras
from lib.inputs.weight_files import check_transformer_files


def check_run(settings: Config, batch: Batch, layout: Layout) -> list[Problem]:
    """Return everything for which a run must not start."""
    masks = masks_of_methods(settings, layout)
    wrong_models = check_models(
        (settings.model.name, settings.model.family),
        settings.caption.model if settings.methods else None,  # of other tools' videos nothing is described
        {f"mask.{key}": value for key, value in settings.mask.only("detector", "yoloe", "sam2").items()},
        settings.metrics.clip_model,
        settings.model.download,
    )
    models = {settings.method(name).model for name in settings.methods}
    # What is no model of its family has no layers that could be listed.
    targets = None if wrong_models else read_lora_targets(settings.model.name, family_of(settings.model.family))
    experts, originals = family_of(settings.model.family).experts, family_of(settings.model.family).original_layers
    trained = experts if settings.training.experts == "all" else experts[:1]
    return [
        *wrong_models,
        *check_transformer_files(
            settings.model.transformer_files,
            settings.model.name,
            family_of(settings.model.family),
            settings.model.weights,
        ),
        *check_vace(settings.vace.name, "vace" in models, settings.model.download),
        *check_editor(
            settings.editor.only("model", "clip_model"),
            any(edit.is_instructed for clip in batch.clips for edit in clip.edits),
            settings.model.download,
        ),
        *_check_contextflow(settings, "contextflow" in models),
        *check_scores(dict(settings.scores), settings.model.download),
        *(
            problem
            for extra in settings.sampling.extra_loras
            for problem in check_extra_lora(Path(extra.path), originals, targets)
        ),
        *check_reused_loras(
            settings.training.decouple_lora,
            {clip.id: clip.name for clip in batch.clips},
            masks,
            targets,
            settings.training.rank,
            trained,
            originals,
        ),
        *check_shared_loras(given_shared(settings, layout), targets, settings.training.rank, trained, originals),
        *_check_shared_is_there(settings, layout, masks),
        *_check_lora_format(settings),
    ]


def _check_contextflow(settings: Config, is_used: bool) -> list[Problem]:
    """Refuse the method where the run's model has no way for it."""
    if not is_used or family_of(settings.model.family).shares_context:
        return []
    found = f"'{settings.model.family}', whose clips cannot see each other as the method contextflow needs it"
    return [Problem("model.family", found, "family wan, or methods without contextflow")]


def _check_lora_format(settings: Config) -> list[Problem]:
    """Refuse copies of LoRAs of a family whose layers' other names are not known."""
    kind, family = settings.training.lora_format, settings.model.family
    if kind is None or family_of(family).original_layers:
        return []
    found = f"{kind}, for family {family}, whose layers' names in other programs are not known"
    return [Problem("training.lora_format", found, "null: its LoRAs are under diffusers' names as they are")]


def _check_shared_is_there(settings: Config, layout: Layout, masks: Sequence[str]) -> list[Problem]:
    """Refuse a shared LoRA that no mask has, and a method that needs one where its mask has none."""
    shared = settings.training.shared
    if shared == "none" or not masks:
        return []
    if not any(layout.shared_lora(mask) for mask in masks):
        found = f"'{shared}', which exists for none of the masks {', '.join(masks)}"
        return [Problem("training.shared", found, "a file such as " + shared.replace("{mask}", masks[0]))]
    lacking = [
        (name, mask)
        for name in settings.methods
        if not settings.method(name).clip_lora and (kind := settings.method(name).train_mask)
        if not layout.shared_lora(mask := layout.mask_name(kind))
    ]
    expected = "a file for this mask too, as this method takes the shared LoRA as it is"
    return [
        Problem("training.shared", f"'{shared}', which does not exist for mask {mask} of method {name}", expected)
        for name, mask in lacking
    ]
