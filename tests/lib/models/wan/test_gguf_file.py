"""A denoiser's weights from a GGUF file: what the file's numbers are worth, widened at once or where they multiply."""

import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from diffusers import GGUFQuantizationConfig, WanTransformer3DModel
from diffusers.quantizers.gguf.utils import SUPPORTED_GGUF_QUANT_TYPES
from gguf import GGMLQuantizationType

from lib.config.families import family_of
from lib.core.errors import InputError
from lib.execution.gguf_weights import GgufLinear, unpack
from lib.execution.memory_modes import MemoryUse
from lib.inputs.gguf_header import KINDS, OTHER_KINDS, read_gguf_header
from lib.inputs.weight_files import check_transformer_files
from lib.models.load import load_model
from lib.models.wan.memory import count_packed, transformer_needs
from lib.models.wan.single_file import load_from_file
from lib.training.lora import attach_lora
from tests.conftest import TINY_WAN
from tests.lib.models.wan.gguf_files import HALVES, MIXED, pack, save_gguf

CPU = torch.device("cpu")
CONFIG = {
    **json.loads((TINY_WAN / "transformer" / "config.json").read_text()),
    "num_attention_heads": 4,  # 256 numbers wide, as most types want it
    "added_kv_proj_dim": 256,
    "ffn_dim": 512,
    "num_layers": 2,
}
LATENTS = (1, 16, 2, 4, 6)
LAYERS = ["attn1.to_q", "attn1.to_k", "attn2.to_v", "ffn.net.0.proj", "ffn.net.2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of a tiny random denoiser, without its weights."""
    folder: Path = tmp_path_factory.mktemp("model")
    (folder / "transformer").mkdir()
    (folder / "transformer" / "config.json").write_text(json.dumps(CONFIG))
    shutil.copy(TINY_WAN / "model_index.json", folder)
    return folder


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Those of the denoiser."""
    torch.manual_seed(0)
    return dict(WanTransformer3DModel.from_config(CONFIG).state_dict())


def _load(
    folder: Path, path: Path, memory: MemoryUse | None = None, dtype: torch.dtype = torch.float32
) -> WanTransformer3DModel:
    model = load_model(folder, {"transformer"}, device=CPU, dtype=dtype, files=[path], memory=memory)
    assert isinstance(model.transformer, WanTransformer3DModel)
    return model.transformer


def _told(folder: Path, *paths: Path, weights: str = "native") -> str:
    names = [str(path) for path in paths]
    problems = check_transformer_files(names, str(folder), family_of("wan"), weights)  # type: ignore[arg-type]
    return "\n".join(map(str, problems))


def _run(transformer: WanTransformer3DModel) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    said: torch.Tensor = transformer(
        hidden_states=draw(1, 36, *LATENTS[2:]),
        timestep=torch.tensor([500.0]),
        encoder_hidden_states=draw(1, 8, CONFIG["text_dim"]),
        encoder_hidden_states_image=draw(1, 5, CONFIG["image_dim"]),
        return_dict=False,
    )[0]
    return said


def test_types_are_those_of_the_format_and_of_diffusers() -> None:
    """Numbers, names and sizes as the gguf package has them; all that diffusers widens, and no other, is read."""
    kinds = {GGMLQuantizationType(number): entry for number, entry in KINDS.items()}
    assert all(
        kind.name == name and gguf.GGML_QUANT_SIZES[kind] == size
        for kind, (name, *size_) in kinds.items()
        if (size := tuple(size_))
    )
    assert set(kinds) == {*SUPPORTED_GGUF_QUANT_TYPES, GGMLQuantizationType.F32, GGMLQuantizationType.F16}
    assert all(GGMLQuantizationType(number).name == name for number, name in OTHER_KINDS.items())
    assert not KINDS.keys() & OTHER_KINDS.keys()


@pytest.mark.parametrize("kind", [kind for kind, _, _ in KINDS.values()])
def test_bytes_are_worth_what_the_format_says(kind: str) -> None:
    """By the gguf package's own formulas in NumPy, to the last bit of float32."""
    packed = pack(np.random.default_rng(0).standard_normal((6, 512)).astype(np.float32) / 8, kind)
    worth = gguf.quants.dequantize(packed, GGMLQuantizationType[kind])
    wide = unpack(torch.from_numpy(packed.view(np.uint8)), kind)
    assert wide.dtype == torch.float32 and wide.shape == (6, 512) and 0.001 < wide.abs().mean() < 1
    torch.testing.assert_close(wide, torch.from_numpy(worth.copy()), rtol=3e-7, atol=0)


@pytest.mark.parametrize(
    ("prefix", "own_names", "flatten"),
    [("", False, ""), ("model.diffusion_model.", False, "patch_embedding.weight"), ("diffusion_model.", True, "")],
)
def test_a_file_of_mixed_types_is_widened_at_once(
    folder: Path, weights: dict[str, torch.Tensor], tmp_path: Path, prefix: str, own_names: bool, flatten: str
) -> None:
    """Under all names, with a weight that was flattened: what its numbers are worth, and what diffusers makes of it."""
    path = tmp_path / "wan.gguf"
    worth = save_gguf(weights, path, prefix=prefix, own_names=own_names, flatten=flatten, drop_ones=own_names)
    assert not own_names or len(read_gguf_header(path).tensors[f"{prefix}scale_shift_table"].shape) == 2
    assert set(MIXED.values()) >= {*HALVES, "Q4_0", "Q5_1", "Q8_0", "F16", "BF16"}
    assert _told(folder, path) == ""
    loaded = _load(folder, path).state_dict()
    assert loaded.keys() == worth.keys()
    for name, tensor in worth.items():
        assert loaded[name].dtype == torch.float32
        torch.testing.assert_close(loaded[name], tensor, rtol=3e-7, atol=0)
    if not (prefix or own_names or flatten):
        theirs = WanTransformer3DModel.from_single_file(
            str(path),
            config=str(folder),
            subfolder="transformer",
            quantization_config=GGUFQuantizationConfig(compute_dtype=torch.float32),
            dtype=torch.float32,
        )
        theirs.dequantize()
        for name, tensor in theirs.state_dict().items():  # which computes in 16 bits
            torch.testing.assert_close(loaded[name], tensor.float(), rtol=2e-3, atol=2e-5)


def test_in_bfloat16_diffusers_kinds_stay_in_float32(
    folder: Path, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    """As of a folder: norms and times in float32, all else as asked for, packed or not."""
    save_gguf(weights, tmp_path / "wan.gguf")
    plain = _load(folder, tmp_path / "wan.gguf", dtype=torch.bfloat16)
    packed = _load(folder, tmp_path / "wan.gguf", MemoryUse("fast", weights="gguf"), torch.bfloat16)
    types = {name: tensor.dtype for name, tensor in packed.state_dict().items()}
    for name, tensor in plain.state_dict().items():
        kept = {"time_embedder", "scale_shift_table", "norm1", "norm2", "norm3"} & set(name.split("."))
        assert tensor.dtype == (torch.float32 if kept else torch.bfloat16)
        assert types[name] in (tensor.dtype, torch.uint8)
    layers = [layer for layer in packed.modules() if isinstance(layer, GgufLinear)]
    assert len(layers) == 2 * 10 and all(layer.weight.dtype == torch.uint8 for layer in layers)
    assert all("blocks." in name for name, kind in types.items() if kind == torch.uint8)


@pytest.mark.parametrize("mode", ["fast", "balanced", "low"])
def test_packed_weights_compute_the_same(
    folder: Path, weights: dict[str, torch.Tensor], tmp_path: Path, mode: str
) -> None:
    """Output and the LoRA's gradients bit for bit, in each memory mode, in blocks of unlike types."""
    path = tmp_path / "wan.gguf"
    save_gguf(weights, path, {"0.ffn.net.2": "Q8_0", "1.attn1.to_q": "Q6_K", **MIXED})
    kinds = {name: tensor.kind for name, tensor in read_gguf_header(path).tensors.items()}
    gradients, outputs = [], []
    for memory in (MemoryUse("fast"), MemoryUse(mode, weights="gguf", training=True)):  # type: ignore[arg-type]
        transformer = _load(folder, path, memory)
        parameters = attach_lora(transformer, LAYERS, 4, 4.0, seed=0)
        with torch.no_grad():
            for number, parameter in enumerate(parameters):  # else one side's gradients are zero
                parameter.add_(0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)))
        with torch.no_grad():
            outputs.append(_run(transformer))
        _run(transformer).square().mean().backward()
        gradients.append([parameter.grad for parameter in parameters])
    assert torch.equal(*outputs) and outputs[0].abs().mean() > 0.01
    assert len(gradients[0]) == 2 * 2 * len(LAYERS)
    for plain, packed in zip(*gradients, strict=True):
        assert plain is not None and plain.abs().max() > 0 and torch.equal(plain, packed)
    layers = ("self_attn.q.weight", "ffn.2.weight")
    assert all(kinds[f"blocks.0.{layer}"] != kinds[f"blocks.1.{layer}"] for layer in layers)


def test_packed_weights_take_the_files_memory(folder: Path, weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """In the model's blocks, and in the estimate that the memory mode is chosen by."""
    path = tmp_path / "wan.gguf"
    save_gguf(weights, path, dict.fromkeys(MIXED, "Q4_K"))
    plain = transformer_needs(CONFIG, LATENTS, torch.float32)
    packed = count_packed(plain, [path], torch.float32)
    transformer = _load(folder, path, MemoryUse("fast", weights="gguf"))
    taken = sum(parameter.nbytes for parameter in transformer.blocks.parameters())
    assert 2 * packed.block_bytes == pytest.approx(taken, rel=0.01)
    assert packed.block_bytes < 0.2 * plain.block_bytes


def test_wrong_files_are_refused_before_any_job(folder: Path, weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """Another model's, one of another type, one that was cut off, one that is none; and what would be right."""
    good = tmp_path / "good.gguf"
    save_gguf(weights, good)
    assert _told(folder, good) == "" and _told(folder, good, weights="gguf") == ""
    content = good.read_bytes()
    text_to_video = {**weights, "patch_embedding.weight": weights["patch_embedding.weight"][:, :16].contiguous()}
    save_gguf(text_to_video, tmp_path / "t2v.gguf", architecture="wan")
    assert "(256, 16, 1, 2, 2) numbers in patch_embedding.weight" in _told(folder, tmp_path / "t2v.gguf")
    other = {name.replace("blocks", "double_blocks"): tensor for name, tensor in weights.items()}
    save_gguf(other, tmp_path / "flux.gguf", architecture="flux")
    told = _told(folder, tmp_path / "flux.gguf")
    assert "no blocks.0.self_attn.q.weight" in told and "calls its model 'flux'" in told
    for name, length in (("start", 3), ("counts", 20), ("names", 900), ("weights", len(content) - 100)):
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(content[:length])
        told = _told(folder, path)
        assert str(path) in told and "again" in told if length > 3 else "no GGUF file" in told
    (tmp_path / "plain.gguf").write_bytes(b"\x08\0\0\0\0\0\0\0{}" * 20)
    assert "no GGUF file" in _told(folder, tmp_path / "plain.gguf")
    assert "no file" in _told(folder, tmp_path / "none.gguf")
    (tmp_path / "old.gguf").write_bytes(content[:4] + (1).to_bytes(4, "little") + content[8:])
    assert "version 1 of GGUF" in _told(folder, tmp_path / "old.gguf")
    (tmp_path / "odd.safetensors").write_bytes(content)
    assert ".gguf file" in _told(folder, tmp_path / "odd.safetensors")


def test_types_that_are_not_read_are_named(folder: Path, weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """A file in IQ2_XXS: which weight has it, and what can be read."""
    path = tmp_path / "small.gguf"
    save_gguf(weights, path, {"attn1.to_q": "Q4_K"})
    content = path.read_bytes()
    place = content.index(b"blocks.0.self_attn.q.weight") + len(b"blocks.0.self_attn.q.weight") + 4 + 2 * 8
    assert content[place : place + 4] == (12).to_bytes(4, "little")
    path.write_bytes(content[:place] + (16).to_bytes(4, "little") + content[place + 4 :])
    told = _told(folder, path)
    assert "weights of type IQ2_XXS, such as blocks.0.self_attn.q.weight" in told and "Q4_K" in told


def test_a_damaged_header_is_told_and_ends(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """Whatever byte of it is another: a problem that names the file, or none; never another error, nor a long wait."""
    save_gguf({name: weights[name] for name in list(weights)[:12]}, tmp_path / "whole.gguf")
    content = bytearray((tmp_path / "whole.gguf").read_bytes())
    rng, path, refused = np.random.default_rng(0), tmp_path / "damaged.gguf", 0
    for _ in range(300):
        place, value = int(rng.integers(4, 700)), int(rng.integers(256))
        path.write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
        try:
            read_gguf_header(path)
        except InputError as error:
            refused += 1
            assert str(path) in str(error)
    assert 50 < refused < 300


def test_packed_weights_need_files_that_have_them(folder: Path, tmp_path: Path) -> None:
    """The setting without GGUF files is refused, as nothing else says how many bits there are to be."""
    (tmp_path / "wan.safetensors").touch()
    for paths in ([], [tmp_path / "wan.safetensors"]):
        told = _told(folder, *paths, weights="gguf")
        assert "model.weights" in told and "GGUF files alone" in told


def test_a_file_that_does_not_fit_is_no_model(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """Also where a job comes to it: nothing loads in part."""
    save_gguf({**weights, "blocks.0.something.weight": torch.ones(2)}, tmp_path / "more.gguf")
    with pytest.raises(InputError, match="1 weights that are missing"):
        load_from_file(tmp_path / "more.gguf", CONFIG, torch.float32, CPU)
    wrong = {**weights, "blocks.0.attn1.to_q.weight": weights["blocks.0.attn1.to_q.weight"][:128].contiguous()}
    save_gguf(wrong, tmp_path / "wrong.gguf")
    for packed in (False, True):
        with pytest.raises(InputError, match=r"of another shape, such as blocks.0.attn1.to_q.weight"):
            load_from_file(tmp_path / "wrong.gguf", CONFIG, torch.float32, CPU, packed=packed)
