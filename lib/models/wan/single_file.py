"""A denoiser's weights from one file, as ComfyUI and Wan's own releases have them, in place of a folder's.

Names are the original code's, with or without ComfyUI's prefix, or diffusers'. Of safetensors files, weights in 8 bits
with a scale beside them (fp8_scaled) are multiplied out: they are too large by 1 / scale otherwise. Those of GGUF files
are widened, or stay as they are.
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
from lib.execution.gguf_weights import Packed, pack_linear, read_gguf
from lib.inputs.gguf_header import is_gguf, read_gguf_header

SCALES = (".scale_weight", ".weight_scale")  # ComfyUI's, the earlier and the later form
LEFT_OUT = (".scale_input", ".input_scale", ".comfy_quant")  # of products in 8 bits, which are not computed here
MARKER = "scaled_fp8"  # a tensor that says what the file is
BLOCKS = "blocks."  # begins names of weights that are inside a block
DIFFUSERS = "condition_embedder."  # begins names that only diffusers has


def load_from_file(
    path: Path,
    config: Mapping[str, Any],
    dtype: torch.dtype,
    device: torch.device,
    home: torch.device | None = None,
    packed: bool = False,
) -> WanTransformer3DModel:
    """Load a transformer, of the same types and bits as from a folder that holds the same weights.

    Args:
        path: of the file, safetensors or GGUF.
        config: of the transformer, from the folder that the rest of the model comes from.
        dtype: of its weights, but those that diffusers keeps in float32.
        device: where those of a GGUF file are widened.
        home: where they go; None: they stay there.
        packed: leave the blocks' matrices as a GGUF file has them, see `lib.execution.gguf_weights`.

    Raises:
        InputError: a weight is missing or has another shape, or one is not this model's.
    """
    home = home or device
    with init_empty_weights():
        transformer = WanTransformer3DModel.from_config(config)
    kept = set(transformer._keep_in_fp32_modules) if dtype != torch.float32 else set()
    shapes = {name: tensor.shape for name, tensor in transformer.state_dict().items()}
    weights: dict[str, torch.Tensor] = {}
    for name, read in _read_gguf(path, device, packed) if is_gguf(path) else _read_safetensors(path, home):
        if isinstance(read, Packed):
            pack_linear(transformer, name.removesuffix(".weight"), read.kind)
            weights[name] = read.stored.to(home)
        else:
            weight = read.to(torch.float32 if kept & set(name.split(".")) else dtype).to(home)
            weights[name] = _with_leading_ones(weight, shapes.get(name, weight.shape))
    expected = {name: tuple(tensor.shape) for name, tensor in transformer.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if found != expected:
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        told = f"{len(wrong)} weights that are missing, strange or of another shape, such as {wrong[0]}"
        raise InputError([Problem(str(path), told, "those of the model in model.name, alone")])
    transformer.load_state_dict(weights, strict=True, assign=True)
    return transformer


def _with_leading_ones(weight: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Give a weight the ones back that begin its shape: ggml, which counts sides from the last, writes none of them."""
    num_lost = len(shape) - weight.ndim
    fits = num_lost > 0 and shape[:num_lost].numel() == 1 and shape[num_lost:] == weight.shape
    return weight.view(shape) if fits else weight


def _read_gguf(path: Path, device: torch.device, packed: bool) -> Iterator[tuple[str, torch.Tensor | Packed]]:
    """Yield the weights under diffusers' names, one by one; the blocks' matrices as they are, or widened."""
    own_names = any(without_prefix(name).startswith(DIFFUSERS) for name in read_gguf_header(path).tensors)

    def renamed(name: str) -> str:
        return without_prefix(name) if own_names else _renamed(without_prefix(name))

    for name, read in read_gguf(path, device, lambda name: packed and renamed(name).startswith(BLOCKS)):
        yield renamed(name), read


def _read_safetensors(path: Path, device: torch.device) -> Iterator[tuple[str, torch.Tensor]]:
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
