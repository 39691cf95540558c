"""Run a set of scenes through the real workflow, and read what it made."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo.evaluation.scenes import HEIGHT, NUM_FRAMES, WIDTH, HeldOutScene, write_batch
from lib.config.settings import Config, load_config
from lib.core.errors import InputError, Problem
from lib.core.files import file_hash, read_json, write_json
from lib.core.project import ROOT
from lib.inputs.checkpoints import resolve_path
from lib.report.results import read_edited_videos

MOVING, DRIFTED = "moving", "drifted"  # sets of scenes
VIDEO = {"num_frames": NUM_FRAMES, "width": WIDTH, "height": HEIGHT, "start": 0, "stride": 1, "keep_lossless": True}


@dataclass(frozen=True)
class Batch:
    """Scenes that are edited by one run of the workflow, with the same edits and methods.

    Attributes:
        folder: holds clips.tsv, clips/, settings.yaml and results/.
        scenes, edits, methods: what is edited, and how.
        correction: of edited first frames whose colours drifted, `mask.correct_edited`; None: they are as rendered.
    """

    folder: Path
    scenes: tuple[HeldOutScene, ...]
    edits: tuple[str, ...]
    methods: tuple[str, ...]
    correction: str | None = None

    @property
    def name(self) -> str:
        """The set of scenes, in tables."""
        return self.folder.name if self.correction is None else DRIFTED

    def label(self, method: str) -> str:
        """Name a method, or a control row, in the tables of its set."""
        return f"{method}, {self.correction}" if method in self.methods and self.correction else method

    @property
    def results(self) -> Path:
        """The workflow's results folder."""
        return self.folder / "results"

    @property
    def expected(self) -> list[tuple[str, str, str]]:
        """Clip, edit and method of every edited video."""
        names = [scene.name for scene in self.scenes]
        return [(name, edit, method) for name in names for edit in self.edits for method in self.methods]


def read_settings(configfile: Path | None, methods: Sequence[str]) -> tuple[dict[str, Any], Config]:
    """Read the settings of the run: the config file's, with the benchmark's video section, methods and fresh LoRAs.

    Returns:
        What is given to the workflow, and what that comes to with every default.

    Raises:
        InputError: a wrong setting, or one that the benchmark needs otherwise.
    """
    given = yaml.safe_load(configfile.read_text(encoding="utf-8")) or {} if configfile else {}
    asked = given.get("video", {})
    problems = [
        Problem(f"{configfile}: video.{key}", str(asked[key]), f"{value}, which every scene of the benchmark has")
        for key, value in VIDEO.items()
        if asked.get(key, value) != value
    ]
    if problems:
        raise InputError(problems)
    # All from nothing: only some kinds of mask have a shared LoRA here, and no method must have a head start.
    training = {"shared": "none", **given.get("training", {})}
    settings = {**given, "video": {**asked, **VIDEO}, "training": training, "methods": list(methods)}
    return settings, load_config(settings, ROOT)


def run_batch(batch: Batch, settings: Mapping[str, Any], cores: str) -> None:
    """Write the batch's clips and settings, and edit them; a second run goes on where the first one ended.

    A failed clip is no error here: the workflow says so and goes on with the others.
    """
    sheet = write_batch(batch.scenes, batch.edits, batch.folder, drifted=batch.correction is not None)
    places: dict[str, Any] = {
        "clips": str(sheet.resolve()),
        "results": str(batch.results.resolve()),
        "methods": list(batch.methods),
    }
    if batch.correction is not None:
        places["mask"] = {**settings.get("mask", {}), "correct_edited": batch.correction}
    path = batch.folder / "settings.yaml"
    path.write_text(yaml.safe_dump({**settings, **places}, allow_unicode=True), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", cores, "--configfile", str(path.resolve()), "--"]
    # The videos by name, not the workflow's report: its metrics are not needed, and a report of a run that was
    # interrupted exists already, so that nothing would seem left to do.
    command += [str(batch.results.resolve() / "/".join(place) / "edited.mkv") for place in batch.expected]
    workflow = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        workflow.wait()
    except KeyboardInterrupt:  # Ctrl-C reaches the workflow too, which must have time to take its lock away
        workflow.wait()
        raise


def find_failures(batch: Batch) -> dict[tuple[str, str, str], str]:
    """Say why an edited video is missing, or older than a job that failed before it in this run."""
    reasons = {}
    for video in read_edited_videos(batch.results, batch.expected, names={}):
        failure = next((stage for stage in reversed(video.stages) if stage.reason), None)
        if failure or not (video.folder / "edited.mkv").exists():
            named = f"{failure.name}: {failure.reason}" if failure else "not run"
            reasons[video.clip, video.edit, video.method] = named
    return reasons


def check_same_models(folder: Path, settings: Config) -> dict[str, str]:
    """Refuse to go on where other models began: the workflow knows a model by its name alone.

    Returns:
        The SHA-256 of each file of the run's local models, by path.

    Raises:
        InputError: the folder was begun with other weights under the same name.
    """
    names = [settings.model.name, settings.caption.model, settings.mask.detector]
    paths = [Path(resolve_path(name)) for name in names if name]
    files = sorted(path for folder in paths for path in folder.rglob("*") if path.is_file())
    hashes = {os.path.relpath(path, ROOT): file_hash(path) for path in files}
    record = folder / "models.json"
    known = read_json(record) if record.exists() else {}
    changed = [path for path, digest in hashes.items() if known.get(path, digest) != digest]
    if changed:
        expected = "the models that this folder was begun with, or another or no such folder (EVALUATION=NAME)"
        raise InputError([Problem(str(folder), f"results of other weights than now in {changed[0]}", expected)])
    write_json(record, {**known, **hashes})
    return hashes
