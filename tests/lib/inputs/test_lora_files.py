"""A LoRA trained earlier is checked before any GPU job: real files pass, and each kind of mistake is one problem."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from lib.config.families import LoraLayers, LoraTargets, family_of
from lib.core.errors import InputError
from lib.inputs.lora_files import METADATA_KEY, check_lora
from lib.models.base import VideoModel
from lib.models.load import load_model
from lib.training.lora import attach_lora, load_lora, save_lora
from tests.conftest import ROOT, TINY_WAN

CONFIG = json.loads((TINY_WAN / "transformer" / "config.json").read_text())
TARGETS = family_of("wan").lora_targets(CONFIG)
BLOCKS, INNER = CONFIG["num_layers"], CONFIG["ffn_dim"]
WIDTH = CONFIG["num_attention_heads"] * CONFIG["attention_head_dim"]
IN_ALL_BLOCKS = f"{WIDTH} -> {WIDTH} features for blocks.0.attn1.to_k, and {10 * BLOCKS - 1} more like it"
RANK = 4
Weights = dict[str, torch.Tensor]


def transformer_alone() -> VideoModel:
    """Load the demo's Wan without what a LoRA does not touch."""
    return load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real file of rank 4 over all layers that training adapts; not to be changed."""
    model = transformer_alone()
    attach_lora(model.transformer, model.lora_target_modules(get_args(LoraLayers)), rank=RANK, alpha=RANK, seed=0)
    path = tmp_path_factory.mktemp("lora") / "decouple.safetensors"
    save_lora(model.transformer, path)
    return path


@pytest.fixture
def weights(lora: Path) -> Weights:
    """The tensors of `lora`."""
    return load_file(lora)


@pytest.fixture
def settings(lora: Path) -> dict[str, object]:
    """The peft settings of `lora`."""
    with safe_open(lora, framework="pt") as opened:
        return json.loads(opened.metadata()[METADATA_KEY])


def write(path: Path, weights: Weights, settings: object) -> Path:
    """Write a LoRA file with whatever it is given; settings None: without metadata."""
    metadata = None if settings is None else {METADATA_KEY: json.dumps(settings)}
    save_file(weights, path, metadata=metadata)
    return path


def other_model(changes: Mapping[str, int]) -> LoraTargets:
    """List the layers of the tiny model with changes to its transformer's config."""
    return family_of("wan").lora_targets(CONFIG | dict(changes))


def only_problem(path: Path, targets: LoraTargets | None = TARGETS, rank: int | None = RANK) -> str:
    """Return the one problem of a file, which must name it."""
    problems = check_lora(path, targets, rank)
    assert len(problems) == 1, [str(problem) for problem in problems]
    assert problems[0].place == str(path)
    return str(problems[0])


def test_a_real_lora_has_no_problem(lora: Path) -> None:
    """With and without the model's layers and a rank to compare with."""
    assert check_lora(lora, TARGETS, RANK) == []
    assert check_lora(lora, None, None) == []


def test_a_lora_of_some_kinds_of_layers_has_no_problem(tiny_wan: VideoModel, tmp_path: Path) -> None:
    """Whatever training.layers says, it is a LoRA of this model, which loads it."""
    path = tmp_path / "lora.safetensors"
    attach_lora(tiny_wan.transformer, tiny_wan.lora_target_modules(["cross_attention"]), rank=2, alpha=4, seed=0)
    save_lora(tiny_wan.transformer, path)
    assert check_lora(path, TARGETS, 2) == []
    assert load_lora(transformer_alone().transformer, path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Nothing there, a folder, and a name that the file system does not take."""
    assert "no file; expected a LoRA file" in only_problem(tmp_path / "missing.safetensors")
    assert "found a folder" in only_problem(tmp_path)
    assert "cannot be read (File name too long)" in only_problem(tmp_path / ("a" * 300))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        np.random.default_rng(0).bytes(10_000),
        (20).to_bytes(8, "little") + b" " * 50,
        b"version https://git-lfs.github.com/spec/v1\n",
    ],
    ids=["empty", "three-bytes", "random", "blank", "lfs-pointer"],
)
def test_a_file_of_another_format_is_refused(content: bytes, tmp_path: Path) -> None:
    """safetensors itself cannot open these either."""
    path = tmp_path / "lora.safetensors"
    path.write_bytes(content)
    assert f"found {len(content)} bytes that are no safetensors file" in only_problem(path)
    with pytest.raises(SafetensorError):
        safe_open(path, framework="pt")


@pytest.mark.parametrize(
    "header",
    ['{"a": 1}', '{"a": {"shape": [1]}}', '{"a": {"shape": 4, "data_offsets": [0, 4]}}', '{"a', '{"__metadata__": 3}'],
)
def test_a_damaged_header_is_refused(header: str, tmp_path: Path) -> None:
    """JSON that is none, or of another structure, is a problem and no traceback."""
    path = tmp_path / "lora.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + b"\0" * 4)
    assert "found a damaged safetensors header" in only_problem(path)


def test_a_file_that_is_cut_off_is_refused_wherever_it_ends(lora: Path, tmp_path: Path) -> None:
    """One byte less or more than the header says, half the weights, no weights, half the header."""
    content, path = lora.read_bytes(), tmp_path / "lora.safetensors"
    header_end = 8 + int.from_bytes(content[:8], "little")
    for size in (len(content) - 1, len(content) // 2, header_end):
        path.write_bytes(content[:size])
        assert f"a file of {size} bytes; expected {len(content)} bytes, as its header says" in only_problem(path)
    path.write_bytes(content + b"\0")
    assert f"a file of {len(content) + 1} bytes; expected {len(content)} bytes" in only_problem(path)
    path.write_bytes(content[: header_end // 2])
    assert f"a file of {header_end // 2} bytes that ends within its header" in only_problem(path)


@pytest.mark.parametrize(
    ("rename", "named"),
    [
        (lambda key: key.replace("transformer.", "diffusion_model."), "tensor diffusion_model.blocks.0"),
        (lambda key: key.replace("lora_A", "lora_down").replace("lora_B", "lora_up"), ".lora_down.weight"),
        (lambda key: key.replace("lora_A.weight", "lora_A.bias"), ".lora_A.bias"),
    ],
    ids=["other-prefix", "other-factors", "no-weight"],
)
def test_keys_of_another_format_are_refused(
    weights: Weights, settings: dict[str, object], rename: Callable[[str], str], named: str, tmp_path: Path
) -> None:
    """Any other trainer's names are one problem that shows one of them and counts the others."""
    path = write(tmp_path / "lora.safetensors", {rename(key): value for key, value in weights.items()}, settings)
    message = only_problem(path)
    assert named in message and f"and {len(weights) - 1} more" in message
    assert "expected pairs transformer.<layer>.lora_A.weight" in message


def test_weights_without_their_other_half_are_refused(
    weights: Weights, settings: dict[str, object], tmp_path: Path
) -> None:
    """A missing factor, two factors of different rank, a tensor too many, and no tensor at all."""
    layer = "transformer.blocks.3.attn2.to_v"
    without = {key: value for key, value in weights.items() if key != f"{layer}.lora_B.weight"}
    assert f"tensor {layer}.lora_A.weight, shape [4, {WIDTH}];" in only_problem(
        write(tmp_path / "a", without, settings)
    )
    unequal = weights | {f"{layer}.lora_B.weight": torch.zeros(WIDTH, 3)}
    assert f"lora_A.weight, shape [4, {WIDTH}], and 1 more" in only_problem(write(tmp_path / "b", unequal, settings))
    flat = weights | {f"{layer}.lora_B.weight": torch.zeros(WIDTH)}
    assert "more like it" in only_problem(write(tmp_path / "c", flat, settings))
    extra = weights | {f"{layer}.lora_magnitude_vector": torch.zeros(WIDTH)}
    assert f"tensor {layer}.lora_magnitude_vector" in only_problem(write(tmp_path / "d", extra, settings))
    assert "found no tensors" in only_problem(write(tmp_path / "e", {}, settings))


def test_a_lora_without_its_settings_is_refused(weights: Weights, settings: dict[str, object], tmp_path: Path) -> None:
    """No metadata, JSON of something else, keys without prefix, and no alpha: its strength would be a guess."""
    unprefixed = {key.removeprefix("transformer."): value for key, value in settings.items()}
    no_alpha = {key: value for key, value in settings.items() if key != "transformer.lora_alpha"}
    for number, wrong in enumerate([None, [], "text", unprefixed, no_alpha]):
        message = only_problem(write(tmp_path / f"{number}.safetensors", weights, wrong))
        assert "metadata without transformer.r, transformer.lora_alpha" in message and METADATA_KEY in message
    path = tmp_path / "broken.safetensors"
    save_file(weights, path, metadata={METADATA_KEY: "{"})
    assert "metadata without" in only_problem(path)


def test_settings_of_another_rank_than_the_weights_are_refused(
    weights: Weights, settings: dict[str, object], tmp_path: Path
) -> None:
    """peft would make layers of the rank in the metadata, into which the weights do not fit."""
    path = write(tmp_path / "lora.safetensors", weights, settings | {"transformer.r": 8})
    assert "weights of rank 4 with metadata for rank 8" in only_problem(path)


def test_another_rank_is_refused_if_one_is_asked_for(lora: Path) -> None:
    """The message has both ranks and the key; None takes any."""
    message = only_problem(lora, rank=16)
    assert "found a LoRA of rank 4; expected rank 16 (training.rank), or" in message
    assert check_lora(lora, TARGETS, None) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"num_attention_heads": 2}, IN_ALL_BLOCKS),
        ({"attention_head_dim": 128}, IN_ALL_BLOCKS),
        (
            {"ffn_dim": 512},
            f"{WIDTH} -> {INNER} features for blocks.0.ffn.net.0.proj, and {2 * BLOCKS - 1} more like it",
        ),
        ({"num_layers": BLOCKS - 1}, f"a layer blocks.{BLOCKS - 1}.attn1.to_k, and 9 more like it"),
        ({"num_layers": BLOCKS + 1}, f"no weights for blocks.{BLOCKS}.attn1.to_q, and 9 more like it"),
    ],
    ids=["heads", "head-size", "feed-forward", "fewer-blocks", "more-blocks"],
)
def test_a_lora_of_another_model_is_refused(lora: Path, changes: dict[str, int], found: str) -> None:
    """One problem that names the first layer, counts the others and says what this model is."""
    size = CONFIG | changes
    width = size["num_attention_heads"] * size["attention_head_dim"]
    message = only_problem(lora, other_model(changes))
    assert f"found {found}; expected" in message
    expected = f"{size['num_layers']} blocks, {width} features wide, {size['ffn_dim']} in the feed-forward layers"
    assert f"expected a LoRA of this model ({expected})" in message


def test_layers_that_no_training_adapts_are_refused(
    weights: Weights, settings: dict[str, object], tiny_wan: VideoModel, tmp_path: Path
) -> None:
    """A layer that this kind of model does not have; loading it refuses it too, only later."""
    moved = {key.replace("attn2.to_k", "attn3.to_k"): value for key, value in weights.items()}
    path = write(tmp_path / "lora.safetensors", moved, settings)
    assert f"a layer blocks.0.attn3.to_k, and {BLOCKS - 1} more like it" in only_problem(path)
    with pytest.raises(InputError, match="attn3"):
        load_lora(tiny_wan.transformer, path)


def test_each_kind_of_mistake_is_a_problem_of_its_own(lora: Path) -> None:
    """Another model and another rank are told together."""
    problems = check_lora(lora, other_model({"ffn_dim": 512}), 16)
    assert ["LoRA of this model" in str(problem) for problem in problems] == [True, False]
    assert "training.rank" in str(problems[1])


def test_the_check_does_not_load_torch() -> None:
    """It runs while the workflow is planned, where torch would cost seconds."""
    code = "import sys, lib.inputs.lora_files; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
