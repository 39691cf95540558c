"""The video model as stages ask for it: what each kind of stage loads, by the settings that its rule passes on."""

from collections.abc import Collection, Sequence
from pathlib import Path

import torch

from lib.config.sections import MemoryMode, ModelSection
from lib.core.failures import ran_out_of_memory
from lib.execution.devices import prepare_torch
from lib.execution.memory_modes import MemoryUse
from lib.inputs.checkpoints import resolve_path
from lib.models.base import VideoModel
from lib.models.load import load_model
from lib.stages.job import Job


def load_vae(model: ModelSection, job: Job) -> tuple[VideoModel, torch.device]:
    """Set torch up and load the VAE, which is small and runs in float32.

    Args:
        model: name, family, device and download.
        job: its number of threads counts.
    """
    return _load(model, {"vae"}, job, "float32", MemoryUse())


def load_encoders(model: ModelSection, job: Job) -> tuple[VideoModel, torch.device]:
    """Set torch up and load the VAE and the text and image encoders.

    Args:
        model: name, family, device, download, dtype and memory.
        job: see `load_transformer`.
    """
    return _load(model, {"vae", "encoders"}, job, model.dtype, MemoryUse(_memory_mode(model, job)))


def load_transformer(
    model: ModelSection, job: Job, *, latents_shape: Sequence[int], training: bool
) -> tuple[VideoModel, torch.device]:
    """Set torch up and load the transformer; for generation the VAE too.

    Args:
        model: name, family, device, download, dtype, memory and weights; transformer_files where there are any.
        job: where its log says that the attempt before ran out of memory, mode low is taken.
        latents_shape: (batch, channels, latent frames, height, width) of the largest sample; memory is planned for it.
        training: whether a backward pass follows.
    """
    use = MemoryUse(_memory_mode(model, job), model.weights, tuple(latents_shape), training)
    return _load(model, {"transformer"} if training else {"vae", "transformer"}, job, model.dtype, use)


def _memory_mode(model: ModelSection, job: Job) -> MemoryMode:
    if model.memory != "low" and ran_out_of_memory(job.log):
        print(f"the attempt before ran out of memory in mode {model.memory}: this one takes mode low")
        return "low"
    return model.memory


def _load(
    model: ModelSection, components: Collection[str], job: Job, dtype: str, use: MemoryUse
) -> tuple[VideoModel, torch.device]:
    device, torch_dtype = prepare_torch(model.device, dtype, job.num_threads)
    loaded = load_model(
        resolve_path(model.name),
        components,
        family=model.family,
        device=device,
        dtype=torch_dtype,
        memory=use,
        download=model.download,
        files=[Path(resolve_path(path)) for path in model.held().get("transformer_files", ())],
    )
    print(f"{model.name}: {', '.join(sorted(components))} on {device}, {torch_dtype}")
    return loaded, device
