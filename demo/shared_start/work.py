"""Train and edit in one process of several: each takes every n-th shared LoRA, then every n-th scene."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from demo.evaluation.measures import measure_video
from demo.evaluation.rows import CONTROLS, SOURCE_COPY
from demo.evaluation.scenes import FIRST_MOVING_NUMBER, HeldOutScene, evolving_scenes, main_scenes, moving_scenes
from demo.shared_start.arms import Arm, Shared
from demo.shared_start.cases import Case, prepare, training_edit, training_sample
from lib.config.methods import BUILT_IN_METHODS, MethodSection
from lib.diffusion.encoding import Encoded, sample_of
from lib.diffusion.generation import EditedClip, Sampling, generate_video
from lib.models.base import Sample, VideoModel
from lib.training.loop import Objective, Optimizer, start_training, train
from lib.training.lora import attach_lora, load_lora, save_lora
from lib.training.schedule import make_schedule
from lib.video.arrays import DecodedVideo, to_decoded_video, to_model_video

LAYERS = ("self_attention", "cross_attention", "feed_forward")
OBJECTIVE = Objective(sigma_shift=5.0, region_weight=1.0)
SECONDS_BETWEEN_LOOKS = 0.2
CHUNK = 10  # clips of a file of samples
EDITS = 12  # of a scene that one process makes in a row


class Worker:
    """One process's share of a study.

    Attributes:
        model: the demo's, all of it on the device.
        folder: shared by all processes.
        part, count: which process this is, of how many.
    """

    def __init__(self, model: VideoModel, folder: Path, part: int, count: int) -> None:
        self.model, self.folder, self.part, self.count = model, folder, part, count
        self.started = time.perf_counter()

    def say(self, text: str) -> None:
        """Write a line of the log."""
        print(f"{time.perf_counter() - self.started:6.1f} s  worker {self.part}: {text}", flush=True)

    def mine(self, things: Sequence[Any]) -> Iterator[Any]:
        """Yield this process's share."""
        yield from things[self.part :: self.count]

    def encode_clips(self, needed: Sequence[Shared], evaluated: Sequence[HeldOutScene]) -> None:
        """Encode all clips that some shared LoRA is trained on, in files of CHUNK clips of a kind."""
        most: dict[str, int] = {}
        for one in needed:
            if one.clips > 0:
                most |= {kind: max(most.get(kind, 0), one.clips) for kind in one.kinds}
        chunks = [(kind, first, False) for kind, clips in most.items() for first in range(0, clips, CHUNK)]
        own = max((-one.clips for one in needed), default=0)
        chunks += [("own", first, True) for first in range(0, own, CHUNK)]
        for kind, first, is_own in self.mine(chunks):
            path = self._chunk(kind, first, is_own)
            if path.exists():
                continue
            numbers = range(first, first + CHUNK)
            edits = [evaluated[number].edit if is_own else training_edit(number) for number in numbers]
            tensors = {}
            for number, edit in zip(numbers, edits, strict=True):
                sample = training_sample(self.model, edit, kind)
                tensors |= {f"{number:05d}/{name}": value for name, value in _named(sample).items()}
            _write(path, {name: value.cpu().contiguous() for name, value in tensors.items()})
        self.say(f"encoded {len(list(self.mine(chunks)))} of {len(chunks)} files of samples")
        self._wait([self._chunk(*chunk) for chunk in chunks])

    def train_shared(self, needed: Sequence[Shared]) -> None:
        """Train the shared LoRAs, the longest first."""
        ordered = sorted(needed, key=lambda one: -one.samples)
        for one in ordered:
            path = self.lora_of(one)
            if path.exists() or not self._claim(one.name):
                continue
            samples = self._samples(one)
            generator = np.random.default_rng(one.seed)
            order = np.concatenate(
                [generator.permutation(len(samples)) for _ in range(-(-one.samples // len(samples)))]
            )
            schedule = [
                tuple(int(i) for i in row)
                for row in order[: one.samples // one.batch * one.batch].reshape(-1, one.batch)
            ]
            begun = time.perf_counter()
            optimizer = Optimizer(one.rate, 0.5, 0.9, 0.99, 0.01, 1.0)
            losses = self._train(None, one.rank, samples, schedule, optimizer, one.seed, layers=one.layers)
            save_lora(self.model.transformer, path)
            self.say(f"{one.name}: {time.perf_counter() - begun:.1f} s, loss {np.mean(losses[-20:]):.4f}")

    def measure(self, arms: Sequence[tuple[int, Arm]], scenes: Sequence[HeldOutScene]) -> None:
        """Edit the scenes by each arm and append a row each to this process's own file.

        All scenes take the first few arms before any takes the next, so that a run cut short has whole rows.
        """
        path = self.folder / f"rows-{self.part}.jsonl"
        known = [line for rows in self.folder.glob("rows-*.jsonl") for line in rows.read_text("utf-8").splitlines()]
        done = {json.loads(line)["key"] for line in known}
        for first in range(0, len(arms), EDITS):
            for scene in scenes:
                sets = sets_of(scene)
                chosen = [(seed, arm) for seed, arm in arms[first : first + EDITS] if arm.set in sets]
                keys = {f"{scene.name} {seed} {arm}": (seed, arm) for seed, arm in chosen}
                wanted = [key for key in keys if key not in done]
                if not wanted or not self._claim(f"{scene.name}-{first}"):
                    continue
                case = prepare(self.model, scene)
                for key in wanted:
                    row = self._row(case, *keys[key])
                    with path.open("a", encoding="utf-8") as rows:
                        rows.write(json.dumps({"key": key, **row}) + "\n")
                self.say(f"{scene.name}: edits {first} to {first + len(arms[first : first + EDITS])} of {len(arms)}")

    def _row(self, case: Case, seed: int, arm: Arm) -> dict[str, object]:
        if arm.start:
            self._wait([self.lora_of(arm.start)])
        begun = time.perf_counter()
        start = self.lora_of(arm.start) if arm.start else None
        measured = measure_video(self.edit(case, arm, seed, start), case.truth, case.mask)
        row = {"clip": case.clip, "kind": case.kind, "moving": case.moving, "seed": seed, **measured}
        row |= {"arm": {**asdict(arm), "start": arm.start.name if arm.start else ""}}
        return {**row, "seconds": time.perf_counter() - begun}

    def _claim(self, name: str) -> bool:
        """Take a piece of work that no other process has."""
        try:
            (self.folder / "claims" / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def lora_of(self, one: Shared) -> Path:
        """Return the file of a shared LoRA."""
        return self.folder / "shared" / f"{one.name}.safetensors"

    def edit(self, case: Case, arm: Arm, seed: int, start: Path | None) -> DecodedVideo:
        """Make the edited video (frames, height, width, 3) of a scene by an arm, from a LoRA's file or from nothing."""
        if arm.method in CONTROLS:
            return case.truth.source if arm.method == SOURCE_COPY else self._through_vae(case.truth.edited)
        method = MethodSection(**BUILT_IN_METHODS[arm.method])
        source = case.encode(method.train_mask or method.generate_mask)[0]
        edit = case.encode(method.generate_mask)[1]
        windows = [sample_of(source["source"])]
        copies = [sample_of(group) for name, group in source.items() if name.startswith("recoloured")]
        references = [sample_of(group) for name, group in edit.items() if name.startswith("reference")]
        rank = arm.start.rank if arm.start else Shared.rank
        schedule = make_schedule(arm.steps, (1, len(copies), 0), arm.copies)
        self._train(start, rank, [*windows, *copies], schedule, arm.optimizer(arm.rate), seed, arm.anchor, arm.layers)
        if arm.late_steps:
            stage_1 = self.folder / f"stage-1-{self.part}.safetensors"
            save_lora(self.model.transformer, stage_1)
            counts = (1, len(copies) if arm.copies else 0, len(references))
            shown = [*windows, *(copies if arm.copies else []), *references]
            schedule = make_schedule(arm.late_steps, counts, arm.copies, arm.late_share)
            self._train(stage_1, rank, shown, schedule, arm.optimizer(arm.late_rate), seed)
        lock, composite = method.lock_latents is not False, method.composite is True  # as in config.yaml unless it says
        sampling = Sampling(20, 1.0, 5.0, seed, lock_latents=lock, composite=composite, feather=4.0)
        kind = method.generate_mask
        clip = EditedClip(case.truth.source, case.truth.edited[0], case.mask_of(kind), kind)
        return generate_video(self.model, edit, clip, [(0, len(case.truth.source))], sampling)

    def _through_vae(self, video: DecodedVideo) -> DecodedVideo:
        return to_decoded_video(self.model.decode_latents(self.model.encode_video(to_model_video(video))))

    def _train(
        self,
        start: Path | None,
        rank: int,
        samples: Sequence[Sample],
        schedule: Sequence[tuple[int, ...]],
        optimizer: Optimizer,
        seed: int,
        anchor: float = 0.0,
        layers: str = "",
    ) -> list[float]:
        transformer: Any = self.model.transformer
        if getattr(transformer, "_hf_peft_config_loaded", False):
            transformer.unload_lora()
        if start is None:
            parameters = attach_lora(transformer, self.model.lora_target_modules(LAYERS), rank, float(rank), seed)
        else:
            parameters = load_lora(transformer, start, trainable=self.model.lora_target_modules(LAYERS))
        if layers:
            kept = {name for name, _ in transformer.named_parameters() if re.search(layers, name) and "lora_" in name}
            for name, parameter in transformer.named_parameters():
                parameter.requires_grad_(name in kept)
            parameters = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
        begun = [parameter.detach().clone() for parameter in parameters] if anchor else []
        state, losses = start_training(parameters, optimizer, seed), []
        for step, loss in train(self.model, state, samples, schedule, optimizer, OBJECTIVE):
            losses.append(loss)
            state.curve.append("")
            if anchor:
                with torch.no_grad():
                    rate = optimizer.rate(step, len(schedule))
                    torch._foreach_lerp_(parameters, begun, min(1.0, rate * anchor))
        return torch.stack(losses).tolist() if losses else []

    def _samples(self, one: Shared) -> list[Sample]:
        samples = []
        for kind in one.kinds:
            for first in range(0, abs(one.clips), CHUNK):
                groups: Encoded = {}
                with safe_open(
                    self._chunk(kind, first, one.clips < 0), framework="pt", device=str(self.model.device)
                ) as opened:
                    for key in opened.keys():  # noqa: SIM118, not a mapping
                        group, name = key.split("/")
                        groups.setdefault(group, {})[name] = opened.get_tensor(key)
                samples += [sample_of(group) for group in groups.values()]
        return samples

    def _chunk(self, kind: str, first: int, is_own: bool) -> Path:
        return self.folder / "samples" / f"{'own-' if is_own else ''}{kind}-{first:05d}.safetensors"

    def _wait(self, paths: Sequence[Path]) -> None:
        while not all(path.exists() for path in paths):
            time.sleep(SECONDS_BETWEEN_LOOKS)


def all_scenes(num_main: int, num_late: int, num_moving: int = 0) -> list[HeldOutScene]:
    """List the scenes that are edited."""
    return [*main_scenes(num_main), *moving_scenes(num_moving), *evolving_scenes(num_late)]


def sets_of(scene: HeldOutScene) -> tuple[str, ...]:
    """Return the sets of arms that a scene is edited by."""
    if scene.edit.kind == "evolving":
        return ("late",)
    return ("any",) if scene.number >= FIRST_MOVING_NUMBER else ("main", "any")


def _named(sample: Sample) -> dict[str, torch.Tensor]:
    return {"latents": sample.latents, **sample.conditioning}


def _write(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(".partial")
    save_file(tensors, made)
    made.rename(path)
