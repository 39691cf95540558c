"""Train the LoRA that all clips start from, on samples of many of them; on several GPUs where the job has them."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from lib.config.sections import ModelSection
from lib.config.training_sections import SharedSection, TrainingSection
from lib.core.errors import InputError, InterruptionError, Problem
from lib.core.failures import Failure, clear_failure, read_failure
from lib.core.files import write_json
from lib.core.provenance import describe
from lib.diffusion.encoding import largest_latents
from lib.diffusion.stored_samples import StoredSamples
from lib.execution.devices import describe_device
from lib.inputs.shared_lora import MASK, MODEL, model_print
from lib.stages.job import Files, Job, Params, job_path
from lib.stages.model import load_transformer
from lib.training import fine_tuning
from lib.training.fine_tuning import Adapter
from lib.training.held_out import HeldOut
from lib.training.loop import Objective, Optimizer, Spread
from lib.training.replicas import is_replica, join_replicas
from lib.training.schedule import shuffled_schedule
from lib.training.state import fingerprint


class Inputs(Files):
    """Encoded samples, a file for each clip; those of the first clips measure the loss alone."""

    samples: tuple[Path, ...]


class Outputs(Files):
    """The LoRA, its loss curve (a JSON object a line), and what made it."""

    lora: Path
    curve: Path
    provenance: Path


class TrainShared(Params):
    """How the LoRA is trained.

    model: name, family, dtype, weights, device, download and memory.
    training: rank, alpha, layers, AdamW's, sigma_shift, region_weight and seed; experts where it
    is not all.
    shared: steps, samples_per_step, learning_rate, decay_share, held_out_clips.
    mask_kind: that the samples were encoded with.
    """

    model: ModelSection
    training: TrainingSection
    shared: SharedSection
    mask_kind: str


def train_shared(inputs: Inputs, outputs: Outputs, params: TrainShared, job: Job) -> None:
    """Train the shared LoRA of a kind of mask."""
    if job.num_gpus > 1 and not is_replica():
        _start_replicas(job)
        return
    training, shared = params.training, params.shared
    num_held_out = min(shared.held_out_clips, len(inputs.samples) // 5)
    seen = inputs.samples[num_held_out:]
    size = max((largest_latents(path) for path in inputs.samples), key=np.prod)
    model, device = load_transformer(params.model, job, latents_shape=size, training=True)
    with join_replicas(device) as replica:
        if replica.count > shared.samples_per_step:
            found = f"{shared.samples_per_step} samples a step for {replica.count} GPUs"
            raise InputError([Problem("shared.samples_per_step", found, f"at least {replica.count}, or fewer GPUs")])
        samples = StoredSamples(seen, device)
        schedule = shuffled_schedule(shared.steps, len(samples), shared.samples_per_step, training.seed)
        held_out = HeldOut(StoredSamples(inputs.samples[:num_held_out], device), training.seed)
        settings, given = params.described(), list(inputs.samples)
        planned = describe("train_shared", settings, given, [], str(device))
        if replica.is_first:
            told = f"{len(seen)} clips, {len(samples)} samples of them, {num_held_out} clips held out"
            print(f"{told}; {shared.samples_per_step} samples a step on {replica.count} {device.type} devices")
        fine_tuning.train_lora(
            model,
            samples,
            schedule,
            Adapter(rank=training.rank, alpha=training.alpha, layers=tuple(training.layers)),
            _optimizer(training, shared),
            Objective(sigma_shift=training.sigma_shift, region_weight=training.region_weight),
            seed=training.seed,
            start_from=None,
            lora_path=outputs.lora,
            curve_path=outputs.curve,
            training=fingerprint({key: value for key, value in planned.items() if key != "made"}),
            spread=Spread(replica, at_once=model.execution.get("at_once")),
            held_out=held_out if replica.is_first else None,
            facts={MODEL: model_print(params.models), MASK: params.mask_kind},
            experts=training.held().get("experts", "all"),
        )
        if replica.is_first:
            made = describe("train_shared", settings, given, [outputs.lora, outputs.curve], describe_device(device))
            write_json(outputs.provenance, {**made, "execution": model.execution, "processes": replica.count})


def _optimizer(training: TrainingSection, shared: SharedSection) -> Optimizer:
    return Optimizer(
        learning_rate=shared.learning_rate,
        decay_share=shared.decay_share,
        beta1=training.beta1,
        beta2=training.beta2,
        weight_decay=training.weight_decay,
        gradient_clip=training.gradient_clip,
    )


def _start_replicas(job: Job) -> None:
    """Run this job again in a process for each GPU, which torchrun starts; why one failed is why this job did."""
    replicas_log = job.log.with_suffix(".replicas.log")  # names the file of the reason; each writes to this job's log
    clear_failure(replicas_log)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={job.num_gpus}"]
    replicas = subprocess.Popen([*command, "-m", "lib.stages.replica", str(job_path(job.log)), str(replicas_log)])
    try:
        code = replicas.wait()
    finally:  # a signal that ends this process comes as an error; torchrun hands it on, and a training saves its step
        if replicas.poll() is None:
            replicas.terminate()
            replicas.wait()
    if code:
        raise _error_of(read_failure(replicas_log), f"torchrun ended with code {code}: its words are in the log")


def _error_of(failure: Failure | None, unknown: str) -> Exception:
    """Turn what one process of several failed of into this job's error, of the same kind."""
    if failure is None:
        return RuntimeError(unknown)
    match failure.kind:
        case "interrupted":
            return InterruptionError(failure.reason)
        case "out_of_memory":
            return MemoryError(failure.reason)
        case "input" | "not_a_number" as kind:
            return InputError([Problem("training on several GPUs", failure.reason, "see the log")], kind=kind)
        case _:
            return RuntimeError(failure.reason)
