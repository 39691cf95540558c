"""docs/settings.md, written from the models of the settings: every key, its defaults, and what a change of it reruns.

python -m lib.config.documentation        # prints it; `make schema` writes it
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from lib.config.editor_section import EditorSection
from lib.config.methods import BUILT_IN_METHODS, MethodSection
from lib.config.rival_sections import ContextFlowSection, VaceSection
from lib.config.score_sections import ScoreName
from lib.config.sections import OutsideSection, Section
from lib.config.settings import Config, load_config
from lib.core.project import ROOT

HEAD = """# Every setting

Written by `make schema` from `lib/config/sections.py`, `lib/config/methods.py` and `lib/config/settings.py`; a test
fails when it is out of date.

A run's own settings are a small YAML file with only the keys that differ, given with `--configfile`. They are laid over
a base: the preset that `model.name` names (`workflow/presets`), or `config.yaml`, the demo batch, where they name no
model. Below both stand the defaults of the paper. Unknown keys and wrong values are refused before any work, all at
once. A file of more than 1 MB, or one that stands for more than 100,000 values with its anchors, is refused by
`./batch` unread; a plain Snakemake reads it itself, before this workflow can.

- **paper**: the default of the code; of a real model it holds wherever its preset says nothing else.
- **demo**: the value in `config.yaml`, where it differs. These values suit the tiny demo models: among others the demo
  locks latents, trains on recoloured copies of the clip and shows references at their own time, none of which the
  paper, the defaults or the 14B presets do. What these switches do to the 14B model's edits has not been measured.
- **reruns**: the first rules that run again when the key of a finished batch changes; what they feed follows. The rules
  are described in [architecture.md](architecture.md). Threads, memory, partitions and the number of GPUs are no
  settings: profiles hold them ([slurm.md](slurm.md)).
"""

METHODS_HEAD = """## method_presets

A method of your own: `method_presets: {NAME: {KEY: VALUE, ...}}`, then `methods: [mask_lora, NAME]`. A changed key has
the method's videos made anew (`generate`), and first whatever they need that is not there yet. Null: as an `edit.yaml`
says, or else the run's `sampling` section.
"""

OUTSIDE_HEAD = """
## outside_methods

Videos that other tools made, measured beside ours ([methods.md](methods.md#outside-methods)): `outside_methods: {NAME:
PATH}`, or `outside_methods: {NAME: {KEY: VALUE, ...}}`.
"""

BUILT_IN_HEAD = """
The built-in methods, by what differs from `mask_lora` ([methods.md](methods.md) says what they are for):
"""

ENCODE = "`encode_source`, `encode_edit`"
INSTRUCTED = "`edit_first_frame`, `edit_reference`, of edits by instruction"
CAPTION = "`caption_source`, `caption_edit`, `caption_references`"
TRAIN = "`train_lora_decouple`, `train_lora_appearance`"
TRAIN_ALL = f"{TRAIN}; `train_shared`, where the run trains one"
RERUNS = {
    "clips": "what is new or changed",
    "results": "everything, in the other folder",
    "methods": "what the added ones lack",
    "method_presets": "see below",
    "outside_methods": "`align_outside`, of the videos that are new or matched otherwise",
    "min_free_disk": "nothing",
    "decisions": "nothing",
    "container": "nothing",
    "model.name": f"{ENCODE}, `measure_source`",
    "model.family": f"{ENCODE}, `measure_source`",
    "model.dtype": f"{INSTRUCTED}; {ENCODE}",
    "model.device": f"{INSTRUCTED}; {CAPTION}, `detect_objects`",
    "model.memory": f"{INSTRUCTED}; {ENCODE}",
    "model.transformer_files": TRAIN,
    "model.weights": TRAIN,
    "model.download": f"{INSTRUCTED}; {CAPTION}",
    "video.num_frames": "`extract_frames`",
    "video.width": "`extract_frames`",
    "video.height": "`extract_frames`",
    "video.start": "`extract_frames`",
    "video.stride": "`extract_frames`",
    "video.max_windows": "`extract_frames`, of longer clips",
    "video.window_overlap": "`extract_frames`, of clips of several windows",
    "video.crf": "`extract_frames`",
    "video.keep_lossless": "`generate`, where edited.mkv is missed",
    **{f"editor.{name}": "`edit_first_frame`, `edit_reference`" for name in EditorSection.model_fields},
    "editor.instruction": "`edit_first_frame`, of edits that follow it",
    "caption.model": CAPTION,
    "caption.task": CAPTION,
    "caption.trigger_word": CAPTION,
    "caption.num_beams": CAPTION,
    "caption.max_new_tokens": CAPTION,
    "mask.methods": "`segment_masks`; `detect_objects` too, where yolo comes or goes",
    "mask.detector": "`detect_objects`",
    "mask.confidence": "`detect_objects`",
    "mask.classes": "`segment_masks`",
    "mask.yoloe": "`segment_masks`",
    "mask.sam2": "`segment_masks`",
    "mask.shape": "`segment_masks`",
    "mask.margin": "`segment_masks`",
    "mask.min_margin": "`segment_masks`",
    "mask.object_margin": "`segment_masks`",
    "mask.object_min_margin": "`segment_masks`",
    "mask.smoothing": "`segment_masks`",
    "mask.difference_threshold": f"{INSTRUCTED}; `segment_masks`",
    "mask.global_share": f"{INSTRUCTED}; `segment_masks`",
    "mask.min_confidence": "`segment_masks`",
    "mask.below_confidence": "`segment_masks`",
    "mask.correct_edited": f"{INSTRUCTED}; `encode_edit`",
    "training.decouple_steps": "`train_lora_decouple`",
    "training.recoloured_copies": "`encode_source`",
    "training.recoloured_share": TRAIN,
    "training.appearance_steps": "`train_lora_appearance`",
    "training.appearance_steps_per_reference": "`train_lora_appearance`",
    "training.appearance_source_share": "`train_lora_appearance`",
    "training.appearance_learning_rate": "`train_lora_appearance`",
    "training.reference_sample": "`encode_edit`, of edits with references",
    "training.reference_context": "`encode_edit`, of edits with references",
    "training.reference_caption": "`encode_edit`, of edits with references; `caption_references` where it is not there",
    "training.reference_draws": "`train_lora_appearance`",
    "training.rank": TRAIN_ALL,
    "training.alpha": TRAIN_ALL,
    "training.layers": TRAIN_ALL,
    "training.experts": TRAIN_ALL,
    "training.learning_rate": TRAIN,
    "training.decay_share": TRAIN,
    "training.beta1": TRAIN_ALL,
    "training.beta2": TRAIN_ALL,
    "training.weight_decay": TRAIN_ALL,
    "training.gradient_clip": TRAIN_ALL,
    "training.sigma_shift": TRAIN_ALL,
    "training.region_weight": TRAIN_ALL,
    "training.seed": f"{TRAIN_ALL}, on samples of `encode_shared`",
    "training.decouple_lora": "`train_lora_appearance`, `generate`: of clips that take another LoRA",
    "training.shared": f"{TRAIN}; `generate`, where clips take it as it is",
    "training.lora_format": "`export_lora_decouple`, `export_lora_appearance`: of LoRAs that are there, nothing else",
    "shared.clips": "`train_shared`, only where it is still to be trained",
    "shared.samples_per_clip": "`encode_shared`, only where the LoRA is still to be trained",
    "shared.scale": "`encode_shared`, only where the LoRA is still to be trained",
    "shared.held_out_clips": "`train_shared`",
    "shared.steps": "`train_shared`",
    "shared.samples_per_step": "`train_shared`",
    "shared.learning_rate": "`train_shared`",
    "shared.decay_share": "`train_shared`",
    "shared.clip_steps": "`train_lora_decouple`, from a shared LoRA",
    "shared.clip_layers": "`train_lora_decouple`, from a shared LoRA",
    "shared.clip_learning_rate": "`train_lora_decouple`, from a shared LoRA",
    "shared.clip_recoloured_share": "`train_lora_decouple`, from a shared LoRA",
    "shared.appearance_steps": "`train_lora_appearance`, from a shared LoRA",
    "shared.appearance_learning_rate": "`train_lora_appearance`, from a shared LoRA",
    "sampling.num_steps": "`generate`",
    "sampling.guidance": "`generate`",
    "sampling.shift": "`generate`",
    "sampling.negative_prompt": "`encode_edit`",
    "sampling.image_context": "`encode_edit`",
    "sampling.lora_scale": "`generate`",
    "sampling.extra_loras": "`generate`",
    "sampling.attention": "`generate`",
    "sampling.lock_latents": "`generate`",
    "sampling.cache_threshold": "`generate`",
    "sampling.composite": "`generate`",
    "sampling.feather": "`generate`",
    "sampling.seed": "`generate`",
    "metrics.clip_model": "`measure_source`, `evaluate`",
    "metrics.background_dilation": "`evaluate`",
    **{f"vace.{name}": "`generate_vace`" for name in VaceSection.model_fields},
    **{f"contextflow.{name}": "`generate_contextflow`" for name in ContextFlowSection.model_fields},
    **{f"scores.{name}": "`score`, of this score alone" for name in get_args(ScoreName)},
    "report.title": "`report`",
}
"""By key, the rules that run again first when it changes; tests hold it against workflow/rules."""


def settings_page() -> str:
    """Return docs/settings.md, as text."""
    paper, demo = Config.model_validate({}), load_config({}, ROOT)
    parts = [HEAD, *_table("The run", "", Config, paper, demo)]
    for name in Config.model_fields:
        section = getattr(paper, name)
        if isinstance(section, Section):
            parts += _table(name, f"{name}.", type(section), section, getattr(demo, name))
    parts += [METHODS_HEAD, *_keys(MethodSection), BUILT_IN_HEAD, *_built_in_methods()]
    return "\n".join([*parts, OUTSIDE_HEAD, *_keys(OutsideSection), ""])


def json_schema() -> str:
    """Return the JSON schema of config.yaml, as text; workflow/schemas holds it."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _table(title: str, prefix: str, model: type[Section], paper: Section, demo: Section) -> Iterator[str]:
    """Yield the lines of a section: a row for each key that is no section itself."""
    doc = "" if model is Config else f"{(model.__doc__ or '').strip()}\n"
    yield f"## {title}\n\n{doc}" if doc else f"## {title}\n"
    yield "| key | paper | demo | meaning | reruns |\n|---|---|---|---|---|"
    for name, schema in model.model_json_schema()["properties"].items():
        value = getattr(paper, name)
        if isinstance(value, Section):
            continue
        shown = getattr(demo, name)
        differs = _value(shown) if shown != value else ""
        yield f"| `{name}` | {_value(value)} | {differs} | {_meaning(schema)} | {RERUNS[prefix + name]} |"
    yield ""


def _keys(model: type[Section]) -> Iterator[str]:
    yield "| key | default | meaning |\n|---|---|---|"
    default = model()
    for name, schema in model.model_json_schema()["properties"].items():
        yield f"| `{name}` | {_value(getattr(default, name))} | {_meaning(schema)} |"


def _built_in_methods() -> Iterator[str]:
    yield "| method | differs in |\n|---|---|"
    for name, keys in BUILT_IN_METHODS.items():
        yield f"| `{name}` | {', '.join(f'`{key}: {_plain(value)}`' for key, value in keys.items()) or 'nothing'} |"


def _meaning(schema: Mapping[str, Any]) -> str:
    """Return what a key means, and which values it takes."""
    allowed = _allowed(schema)
    text = str(schema["description"]).replace("|", "\\|").replace("<", "&lt;")
    return f"{text} ({allowed})" if allowed else text


def _allowed(schema: Mapping[str, Any]) -> str:
    """Return the range or the choices of a key, from its JSON schema; empty: any value of its type."""
    for choice in (*schema.get("anyOf", []), schema.get("items")):  # null beside a value; a list of values
        if choice and choice.get("type") != "null":
            return _allowed(choice)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    bounds = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    return ", ".join(f"{words} {_plain(schema[bound])}" for bound, words in bounds.items() if bound in schema)


def _value(value: Any) -> str:
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    """Write a value as YAML does, on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{', '.join(_plain(each) for each in value)}]"
    return '""' if value == "" else "{}" if value == {} else str(value)


if __name__ == "__main__":
    print(settings_page(), end="")
