"""The settings of a run, whole: read over their base, checked, and refused with what would be right.

A run's settings are laid over a base: the preset that the run's model names, or config.yaml (the demo batch) when the
run names no model of its own. Below both stand the defaults of `lib.config.sections`: the paper's.
"""

from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from lib.config.editor_section import EditorSection
from lib.config.families import family_of
from lib.config.methods import BUILT_IN_METHODS, MAX_METHOD_NAME, RESERVED_METHOD_NAMES, MethodSection
from lib.config.rival_sections import ContextFlowSection, VaceSection
from lib.config.score_sections import ScoresSection
from lib.config.sections import (
    CaptionSection,
    Heeded,
    MaskSection,
    MetricsSection,
    ModelSection,
    OutsideSection,
    ReportSection,
    SamplingSection,
    Section,
    VideoSection,
)
from lib.config.training_sections import SharedSection, TrainingSection
from lib.core.errors import InputError, Problem, nearest_known
from lib.core.names import OUTSIDE, is_outside
from lib.core.text import brief
from lib.core.yaml_files import describe_no_yaml, read_yaml

PRESETS = Path("workflow/presets")
DEFAULT_RUN = Path("config.yaml")
MOST_PROBLEMS = 50  # told of at once


def _or_a_path(schema: dict[str, Any]) -> None:
    """Say in a schema that a path alone will do, see `Config`."""
    schema["additionalProperties"] = {"anyOf": [{"type": "string"}, schema["additionalProperties"]]}


class Config(Section):
    """Every setting of a run."""

    clips: str = Field("clips", description="clips folder, or a .tsv/.csv sheet; relative to the working directory")
    results: str = Field("results", description="folder for everything that is made")
    methods: list[str] = Field(
        ["mask_lora"], description="methods to run; see method_presets. []: outside ones are measured alone"
    )
    method_presets: dict[str, MethodSection] = Field(
        default_factory=dict, description="methods of your own, by name, beside the built-in ones"
    )
    outside_methods: dict[str, OutsideSection] = Field(
        default_factory=dict,
        description="videos of other tools to measure beside ours, by the tool's name: a path with {clip} and {edit}"
        " in it, or the keys below",
        json_schema_extra=_or_a_path,
    )
    min_free_disk: Annotated[float, Field(ge=0)] = Field(
        1.0, description="GiB that must stay free on the results disk after the run"
    )
    decisions: Heeded = Field(
        "heed",
        description="which of a person's decisions on edits count (`./batch approve`, `hold`, `reject`); heed: what is"
        " held or rejected is not made; approved_only: nor what nobody has approved; ignore: none",
    )
    container: str | None = Field(
        None, description="image that jobs run in with --sdm apptainer, a .sif file or an address; null: none"
    )
    model: ModelSection = Field(default_factory=ModelSection)  # type: ignore[arg-type]
    video: VideoSection = Field(default_factory=VideoSection)  # type: ignore[arg-type]
    editor: EditorSection = Field(default_factory=EditorSection)  # type: ignore[arg-type]
    caption: CaptionSection = Field(default_factory=CaptionSection)  # type: ignore[arg-type]
    mask: MaskSection = Field(default_factory=MaskSection)  # type: ignore[arg-type]
    training: TrainingSection = Field(default_factory=TrainingSection)  # type: ignore[arg-type]
    shared: SharedSection = Field(default_factory=SharedSection)  # type: ignore[arg-type]
    vace: VaceSection = Field(default_factory=VaceSection)  # type: ignore[arg-type]
    contextflow: ContextFlowSection = Field(default_factory=ContextFlowSection)  # type: ignore[arg-type]
    sampling: SamplingSection = Field(default_factory=SamplingSection)  # type: ignore[arg-type]
    metrics: MetricsSection = Field(default_factory=MetricsSection)  # type: ignore[arg-type]
    scores: ScoresSection = Field(default_factory=ScoresSection)  # type: ignore[arg-type]
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

    @field_validator("training")
    @classmethod
    def _shared_is_a_file(cls, training: TrainingSection) -> TrainingSection:
        shared = training.shared
        if shared not in ("none", "batch") and (not shared.endswith(".safetensors") or _fields_of(shared) - {"mask"}):
            raise ValueError(
                f"shared '{shared}'; expected none, batch, or a .safetensors file, {{mask}} the only name in braces"
            )
        return training

    @field_validator("method_presets")
    @classmethod
    def _names_make_folders(cls, presets: dict[str, MethodSection]) -> dict[str, MethodSection]:
        for name in presets:
            usable = name.isascii() and name.replace("_", "").isalnum() and len(name) <= MAX_METHOD_NAME
            if not usable or name in RESERVED_METHOD_NAMES or is_outside(name):
                raise ValueError(
                    f"method name '{name}'; expected at most {MAX_METHOD_NAME} letters, digits and underscores, none "
                    f"that begins with {OUTSIDE}, and none of {', '.join(sorted(RESERVED_METHOD_NAMES))}"
                )
        return presets

    @field_validator("outside_methods", mode="before")
    @classmethod
    def _a_path_alone_names_videos(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {name: {"videos": value} if isinstance(value, str) else value for name, value in given.items()}

    @field_validator("outside_methods")
    @classmethod
    def _outside_videos_are_a_pattern(cls, methods: dict[str, OutsideSection]) -> dict[str, OutsideSection]:
        for name, method in methods.items():
            fields = {"clip"} if method.videos is None else _fields_of(method.videos)
            if not name.strip() or "clip" not in fields or fields - {"clip", "edit"}:
                raise ValueError(
                    f"'{name}': '{method.videos}'; expected a name, and a path with {{clip}} and {{edit}} in it, such "
                    "as /data/anyv2v/{clip}/{edit}.mp4"
                )
        return methods

    @model_validator(mode="after")
    def _methods_are_known(self) -> "Config":
        known = sorted({*BUILT_IN_METHODS, *self.method_presets})
        for name in self.methods:
            if name not in known:
                raise ValueError(f"methods: unknown method '{name}'; expected {nearest_known(name, known)}")
        if not self.methods and not self.outside_methods:
            raise ValueError("methods: []; expected a method, or outside_methods to measure alone")
        if len(set(self.methods)) != len(self.methods):
            raise ValueError(f"methods: a method twice in {self.methods}; expected each once")
        return self

    @model_validator(mode="after")
    def _shared_methods_have_one(self) -> "Config":
        for name in self.methods:
            if not self.method(name).clip_lora and self.training.shared == "none":
                raise ValueError(
                    f"methods: '{name}', with training.shared none; expected training.shared: batch, or the file of a"
                    " shared LoRA, which this method generates with"
                )
        return self

    @model_validator(mode="after")
    def _sizes_fit_the_model(self) -> "Config":
        family = family_of(self.model.family)
        frame_stride, size_multiple = family.frame_stride, family.size_multiple
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

    def model_names(self) -> dict[str, str | None]:
        """Return the models that the run names, by the key that names each; None: that one is not used."""
        return {
            "model.name": self.model.name,
            **self.model.files_by_key,
            **{f"editor.{key}": name for key, name in self.editor.only("model", "clip_model").items()},
            "caption.model": self.caption.model,
            "metrics.clip_model": self.metrics.clip_model,
            **{f"mask.{key}": name for key, name in self.mask.only("detector", "yoloe", "sam2").items()},
            **{f"scores.{key}": name for key, name in self.scores},
            "vace.name": self.vace.name,
        }


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
        wrong = error.errors()
        problems = [_as_problem(details) for details in wrong[:MOST_PROBLEMS]]
        more = [Problem("settings", f"{len(wrong) - MOST_PROBLEMS} problems more", "the first ones to be mended")]
        raise InputError(problems + more * (len(wrong) > MOST_PROBLEMS)) from None


def read_settings(path: Path) -> dict[str, Any]:
    """Read a user's settings, as they stand in the file that `--configfile` names.

    Raises:
        InputError: it cannot be read, or holds no settings.
    """
    expected = "a YAML file of settings, lines of 'key: value'"
    try:
        content = read_yaml(path)
    except OSError as error:
        raise InputError([Problem(str(path), f"a file that cannot be read ({error.strerror})", expected)]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line, reason = describe_no_yaml(error)
        raise InputError([Problem(f"{path}{line}", f"a file that is not YAML ({reason})", expected)]) from None
    if not isinstance(content, dict | None):
        raise InputError([Problem(str(path), brief(content), expected)])
    return content or {}


def preset_names(root: Path) -> list[str]:
    """Return the names that `model.name` may take besides folders and hub ids."""
    return sorted(path.stem for path in (root / PRESETS).glob("*.yaml"))


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
    return Problem(key, brief(details["input"]), details["msg"].removeprefix("Input should be "))


def _known_keys(section: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for name in section:
        if name not in model.model_fields:  # the name of a method: one level of free keys
            continue
        annotation = model.model_fields[name].annotation
        candidates = [annotation, *get_args(annotation)]
        model = next(kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel))
    return sorted(model.model_fields)
