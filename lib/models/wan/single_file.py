"""A denoiser's weights from one safetensors file, as ComfyUI and Wan's own releases have them, in place of a folder's.

Names are the original code's, with or without ComfyUI's prefix, or diffusers'. Weights in 8 bits with a scale beside
them (fp8_scaled) are multiplied out: they are too large by 1 / scale otherwise.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import WanTransformer3DModel
from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers
from safetensors import safe_open

from lib.config.families import without_prefix
from lib.core.errors import InputError, Problem

SCALES = (".scale_weight", ".weight_scale")  # ComfyUI's, the earlier and the later form
LEFT_OUT = (".scale_input", ".input_scale", ".comfy_quant")  # of products in 8 bits, which are not computed here
MARKER = "scaled_fp8"  # a tensor that says what the file is
DIFFUSERS = "condition_embedder."  # begins names that only diffusers has


def load_from_file(
    path: Path, config: Mapping[str, Any], dtype: torch.dtype, device: torch.device
) -> WanTransformer3DModel:
    """Load a transformer, of the same types and bits as from a folder that holds the same weights.

    Args:
        path: of the safetensors file.
        config: of the transformer, from the folder that the rest of the model comes from.
        dtype: of its weights, but those that diffusers keeps in float32.
        device: where they go.

    Raises:
        InputError: a weight is missing or has another shape, or one is not this model's.
    """
    with init_empty_weights():
        transformer = WanTransformer3DModel.from_config(config)
    kept = set(transformer._keep_in_fp32_modules) if dtype != torch.float32 else set()
    weights = {
        name: tensor.to(torch.float32 if kept & set(name.split(".")) else dtype)
        for name, tensor in _read_weights(path, device)
    }
    expected = {name: tuple(tensor.shape) for name, tensor in transformer.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if found != expected:
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        told = f"{len(wrong)} weights that are missing, strange or of another shape, such as {wrong[0]}"
        raise InputError([Problem(str(path), told, "those of the model in model.name, alone")])
    transformer.load_state_dict(weights, strict=True, assign=True)
    return transformer


def _read_weights(path: Path, device: torch.device) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the weights under diffusers' names, one by one, multiplied out where they have a scale."""
    with safe_open(path, framework="pt", device=str(device)) as opened:
        stored = {without_prefix(name): name for name in opened.keys()}  # noqa: SIM118, not a mapping
        names = [name for name in stored if name != MARKER and not name.endswith((*SCALES, *LEFT_OUT))]
        own_names = any(name.startswith(DIFFUSERS) for name in names)
        for name in names:
            tensor = opened.get_tensor(stored[name])
            scale = next((stored[key] for end in SCALES if (key := name.removesuffix(".weight") + end) in stored), None)
            if scale is not None:
                factor = opened.get_tensor(scale).float()
                tensor = tensor.float() * factor.view(-1, *[1] * (tensor.ndim - 1))
            yield name if own_names else _renamed(name), tensor


def _renamed(name: str) -> str:
    """Return diffusers' name for one of the original code's, by diffusers' own rules for whole checkpoints."""
    return str(next(iter(convert_wan_transformer_to_diffusers({name: name}))))
