"""Models of the real architectures with random weights: their speed and memory are the real ones'."""

from collections.abc import Mapping
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import WanTransformer3DModel
from torch import nn

from lib.execution.gguf_weights import GgufLinear
from lib.inputs.gguf_header import block_of
from lib.models.base import Sample

TEXT_TOKENS, IMAGE_TOKENS = 512, 257
PACKED = "Q4_K"  # 4.5 bits a number; the commonest


def random_transformer(
    config: Mapping[str, Any],
    device: torch.device,
    dtype: torch.dtype,
    home: torch.device,
    seed: int = 0,
    kind: Any = WanTransformer3DModel,
) -> Any:
    """Build a transformer, weight by weight, so that its blocks are not on the device before their time.

    Args:
        config: of the transformer.
        device: where random numbers are drawn.
        dtype: of the weights, but for those that the class keeps in float32.
        home: where the blocks wait; all else stays on the device.
        seed: of the weights.
        kind: the transformer's class, of diffusers.
    """
    torch.manual_seed(seed)
    with init_empty_weights(include_buffers=False):
        transformer = kind(**config)
    kept = set(kind._keep_in_fp32_modules or ())
    for name, empty in list(transformer.named_parameters()):
        owner, _, own = name.rpartition(".")
        precision = torch.float32 if kept & set(name.split(".")) else dtype
        values = torch.empty(empty.shape, device=device, dtype=precision)
        if values.ndim > 1:  # as torch's own layers begin
            reach = values[0].numel() ** -0.5
            values.uniform_(-reach, reach)
        else:
            values.fill_(1.0 if own == "weight" else 0.0)  # of a norm, or a bias
        in_block = name.partition(".")[0].endswith("blocks")
        weight = nn.Parameter(values.to(home if in_block else device), requires_grad=False)
        transformer.get_submodule(owner)._parameters[own] = weight
    return transformer.eval()


def pack_randomly(module: nn.Module) -> None:
    """Put random numbers of the GGUF type PACKED in place of the linear weights inside a block, where these are."""
    numbers, size = block_of(PACKED)
    for name, child in list(module.named_children()):
        if not isinstance(child, nn.Linear):
            pack_randomly(child)
            continue
        layer, weight = GgufLinear(child, PACKED), child.weight
        stored = torch.randint(
            0, 256, (child.out_features, child.in_features // numbers, size), dtype=torch.uint8, device=weight.device
        )
        step = 0.004 * child.in_features**-0.5  # of numbers of 4 bits, times 32 in the mean; then the middle of these
        scales = torch.tensor([step, 7.5 * step], dtype=torch.float16)
        stored[..., :4] = scales.view(torch.uint8).to(weight.device)
        layer.weight = nn.Parameter(stored.flatten(1), requires_grad=False)
        setattr(module, name, layer)


def random_sample(
    config: Mapping[str, Any], frames: int, height: int, width: int, device: torch.device, dtype: torch.dtype
) -> Sample:
    """Draw latents and a conditioning of the shapes that a clip of such a size has, for Wan of 36 channels."""
    generator = torch.Generator("cpu").manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(device)

    cells = (1 + (frames - 1) // 4, height // 8, width // 8)
    conditioning = {
        "prompt_embeds": draw(1, TEXT_TOKENS, config["text_dim"]).to(dtype),
        "packed_mask": (draw(1, 4, *cells) > 0).float(),
        "condition_latents": draw(1, 16, *cells),
    }
    if config["image_dim"]:
        conditioning["image_embeds"] = draw(1, IMAGE_TOKENS, config["image_dim"])
    return Sample(draw(1, 16, *cells), conditioning)
