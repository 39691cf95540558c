"""From a folder or hub id in diffusers' layout to the editor that it holds."""

from importlib.util import find_spec
from typing import Any

import diffusers
import torch
from diffusers import DiffusionPipeline

from lib.config.editor_section import EDITOR_PIPELINES, NEED_TORCHVISION, EditorSection
from lib.config.sections import MemoryMode
from lib.core.errors import InputError, Problem
from lib.editors.base import Editor
from lib.editors.flux_kontext import FluxKontext
from lib.editors.instruct_pix2pix import InstructPix2Pix
from lib.editors.qwen_image import QwenImageEdit, QwenImageEditPlus
from lib.execution.pipelines import place_pipeline

WORK_BYTES = 8 * 2**30  # beside the weights: activations and the VAE, at a megapixel
LIBRARIES = {"diffusers", "transformers"}  # whose classes a folder may name


def load_editor(
    name: str, settings: EditorSection, device: torch.device, dtype: torch.dtype, memory: MemoryMode, download: bool
) -> Editor:
    """Load an editor; safetensors only, never code of the folder's.

    Args:
        name: of the folder, or hub id.
        settings: num_steps, guidance, image_guidance and megapixels of the section.
        device: that computes.
        dtype: of the weights.
        memory: low: layers come to the GPU one by one; auto: components do, where not all fits; else all is there.
        download: allow the hub.

    Raises:
        InputError: it holds no editor, or a library is missing that its kind needs.
    """
    kind = _kind_of(DiffusionPipeline.load_config(name, local_files_only=not download), name)
    pipeline = getattr(diffusers, kind).from_pretrained(
        name, use_safetensors=True, local_files_only=not download, torch_dtype=dtype
    )
    pipeline.set_progress_bar_config(disable=True)
    place_pipeline(pipeline, device, memory, WORK_BYTES)
    if kind == "StableDiffusionInstructPix2PixPipeline":
        return InstructPix2Pix(pipeline, settings)
    if kind == "FluxKontextPipeline":
        return FluxKontext(pipeline, settings)
    return QwenImageEditPlus(pipeline, settings) if "Plus" in kind else QwenImageEdit(pipeline, settings)


def _kind_of(index: dict[str, Any], name: str) -> str:
    """Return the pipeline that a model_index.json names, which must be one of ours, of classes that are known."""
    kind = str(index.get("_class_name"))
    if kind not in EDITOR_PIPELINES:
        expected = f"one of {', '.join(EDITOR_PIPELINES)}"
        raise InputError([Problem("editor.model", f"'{name}', which is a {kind}", expected)])
    libraries = {str(loader[0]) for loader in index.values() if isinstance(loader, list) and loader and loader[0]}
    if libraries - LIBRARIES:
        found = f"'{name}', which names classes of {', '.join(sorted(libraries - LIBRARIES))}"
        raise InputError([Problem("editor.model", found, "classes of diffusers and transformers alone")])
    if kind in NEED_TORCHVISION and find_spec("torchvision") is None:
        expected = "torchvision, of the version that fits this torch: pip install torchvision"
        raise InputError([Problem("editor.model", f"a {kind}, without torchvision, which it needs", expected)])
    return kind
