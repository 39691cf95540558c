"""GGUF files of a Wan denoiser's weights, written by the gguf package, under the names of Wan's own code."""

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter

from tests.lib.models.wan.single_files import original_name

HALVES = {  # where in a block its scales, of 16 bits, are
    "Q2_K": (80, 82),
    "Q3_K": (108,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
    "IQ4_NL": (0,),
    "IQ4_XS": (0,),
}
"""The package cannot write these types, only read them."""

MIXED = {
    "attn1.to_q": "Q4_K",
    "attn1.to_k": "Q5_K",
    "attn1.to_v": "Q6_K",
    "attn1.to_out.0": "Q8_0",
    "attn2.to_q": "Q3_K",
    "attn2.to_k": "Q2_K",
    "attn2.to_v": "IQ4_XS",
    "attn2.to_out.0": "IQ4_NL",
    "ffn.net.0.proj": "Q4_0",
    "ffn.net.2": "Q5_1",
    "attn2.add_k_proj": "BF16",
    "attn2.add_v_proj": "F16",
}
"""A type for each layer of a block, as files that mix them have it."""


def pack(matrix: np.ndarray, kind: str) -> np.ndarray:
    """Pack a matrix (rows, columns) float32, or where the package cannot: random bits with scales of its size."""
    if kind not in HALVES:
        return gguf.quants.quantize(matrix, GGMLQuantizationType[kind])
    numbers, size = gguf.GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    rows, columns = matrix.shape
    rng = np.random.default_rng(matrix.size)
    blocks = rng.integers(0, 256, (rows * columns // numbers, size), dtype=np.uint8)
    for place in HALVES[kind]:
        scales = (rng.random(len(blocks)) * (2e-3 if kind == "Q2_K" else 1e-4)).astype(np.float16)
        blocks[:, place : place + 2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(rows, -1)


def save_gguf(
    weights: Mapping[str, torch.Tensor],
    path: Path,
    kinds: Mapping[str, str] = MIXED,
    *,
    prefix: str = "",
    own_names: bool = False,
    architecture: str = "wan",
    flatten: str = "",
    drop_ones: bool = False,
) -> dict[str, torch.Tensor]:
    """Write weights as city96's files have them.

    Args:
        weights: by diffusers' names.
        path: of the file.
        kinds: of the blocks' matrices, by the end of the layer's name; all else is F32, or F16 where it has five sides.
        prefix: before each name.
        own_names: leave diffusers' names.
        architecture: that the file is to name.
        flatten: name of a weight that is written as a row, its shape beside it.
        drop_ones: leave out a side of one that begins a shape, as ggml does where it writes a file anew.

    Returns:
        What the file's weights are worth, by the gguf package's own formulas, by diffusers' names.
    """
    writer, worth = GGUFWriter(path, architecture), {}
    for name, tensor in weights.items():
        values = tensor.float().contiguous().numpy()
        written = prefix + (name if own_names else original_name(name))
        ending = name.removesuffix(".weight")
        kind = next((kind for end, kind in kinds.items() if ending.endswith(f".{end}") and values.ndim == 2), None)
        if kind is not None and name.startswith("blocks."):
            packed = pack(values, kind)
            writer.add_tensor(written, packed, raw_dtype=GGMLQuantizationType[kind])
            worth[name] = torch.from_numpy(gguf.quants.dequantize(packed, GGMLQuantizationType[kind]).copy())
            continue
        stored = values.astype(np.float16) if values.ndim == 5 else values
        worth[name] = torch.from_numpy(stored.astype(np.float32))
        if name == flatten:
            writer.add_array(f"comfy.gguf.orig_shape.{written}", [int(side) for side in stored.shape])
            stored = stored.reshape(-1)
        elif drop_ones and len(stored) == 1:
            stored = stored[0]
        writer.add_tensor(written, stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return worth
