"""Every way to run a transformer's blocks gives the same numbers, and keeps what it says it keeps."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from lib.core.files import read_json
from lib.execution.block_runs import Execution, Saved, set_up_blocks
from lib.models.load import load_model
from lib.training.lora import attach_lora
from tests.conftest import ROOT, TINY_WAN

CONFIG = read_json(TINY_WAN / "transformer" / "config.json")
NUM_BLOCKS, NUM_TOKENS = CONFIG["num_layers"], 3 * 4 * 4
WIDTH = CONFIG["num_attention_heads"] * CONFIG["attention_head_dim"]
OUTPUT_SIZE = NUM_TOKENS * WIDTH  # numbers in one activation of the tiny model
CPU = torch.device("cpu")
TARGETS = ["attn1.to_q", "attn1.to_out.0", "attn2.to_v", "ffn.net.0.proj", "ffn.net.2"]
HAS_COMPILER = shutil.which("g++") and (Path(sysconfig.get_paths()["include"]) / "Python.h").exists()
NEEDS_COMPILER = pytest.mark.skipif(not HAS_COMPILER, reason="torch.compile needs g++ and Python's headers on a CPU")


def _transformer(execution: Execution) -> tuple[nn.Module, list[nn.Parameter]]:
    """Return the tiny transformer run so, with a LoRA that changes something."""
    model = load_model(TINY_WAN, {"transformer"}, device=CPU, dtype=torch.float32)
    set_up_blocks(model.transformer.blocks, execution, CPU)  # type: ignore[arg-type]
    parameters = attach_lora(model.transformer, TARGETS, rank=4, alpha=4.0, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in parameters:
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    return model.transformer, parameters


def _inputs(transformer: nn.Module) -> dict[str, torch.Tensor]:
    generator, config = torch.Generator().manual_seed(2), transformer.config
    return {
        "hidden_states": torch.randn(1, config.in_channels, 3, 8, 8, generator=generator),
        "timestep": torch.tensor([500.0]),
        "encoder_hidden_states": torch.randn(1, 512, config.text_dim, generator=generator),
        "encoder_hidden_states_image": torch.randn(1, 5, config.image_dim, generator=generator),
    }


def _run(execution: Execution) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the output without gradients, that with them, and the LoRA's gradient."""
    transformer, parameters = _transformer(execution)
    inputs = _inputs(transformer)
    with torch.no_grad():
        plain = transformer(**inputs).sample
    output = transformer(**inputs).sample
    output.square().mean().backward()
    return plain, output.detach(), torch.cat([parameter.grad.flatten() for parameter in parameters])  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def usual() -> tuple[torch.Tensor, ...]:
    """What autograd by itself gives."""
    return _run(Execution())


@pytest.fixture(autouse=True)
def _forget_graphs() -> Iterator[None]:
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("saved", ["most", "linear", "attention", "inputs"])
def test_what_is_saved_changes_no_bit(saved: Saved, usual: tuple[torch.Tensor, ...]) -> None:
    """Computing anything again in the backward pass gives the same outputs and gradients."""
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(_run(Execution(saved=saved)), usual, strict=True))


def test_streamed_weights_change_no_bit_and_leave_no_weights_behind(usual: tuple[torch.Tensor, ...]) -> None:
    """With weights and inputs in host memory all is the same, also in a second pass; blocks at rest hold no weights."""
    execution = Execution(saved="inputs", stream_weights=True, offload_inputs=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(_run(execution), usual, strict=True))
    transformer, parameters = _transformer(execution)
    gradients = []
    for _ in range(2):
        transformer(**_inputs(transformer)).sample.square().mean().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in parameters]))  # type: ignore[union-attr]
        for parameter in parameters:
            parameter.grad = None
    assert torch.equal(gradients[0], usual[2]) and torch.equal(gradients[1], usual[2])
    at_rest = [name for name, value in transformer.blocks.named_parameters() if "base_layer.weight" in name]
    assert at_rest and all(transformer.blocks.get_parameter(name).numel() == 0 for name in at_rest)


@NEEDS_COMPILER
def test_compiled_blocks_agree_to_rounding_and_keep_what_they_say(usual: tuple[torch.Tensor, ...]) -> None:
    """The compiled forms, with a checkpoint around the graph and inside of it; one graph serves all blocks."""
    kept = {}
    for saved in ("inputs", "linear", "most"):
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        sizes: dict[int, int] = {}

        def note(tensor: torch.Tensor, sizes: dict[int, int] = sizes) -> torch.Tensor:
            if tensor.ndim > 1 and tensor.numel() % OUTPUT_SIZE == 0 and tensor.shape[0] in (1, NUM_TOKENS):
                sizes[tensor.data_ptr()] = tensor.numel() // OUTPUT_SIZE
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            results = _run(Execution(compiled=True, saved=saved))  # type: ignore[arg-type]
        for ours, theirs in zip(results, usual, strict=True):
            assert (ours - theirs).norm() < 1e-5 * theirs.norm()
        num_graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        # For passes without and with gradients; where inputs are kept, also for the forward pass of a training step.
        assert num_graphs == (3 if saved == "inputs" else 2), f"{num_graphs} graphs for {NUM_BLOCKS} alike blocks"
        kept[saved] = sum(sizes.values()) / NUM_BLOCKS
    # its input; the attention's output; q, k, v, out, and the cross-attention's q and out; of the feed-forward, 4 wide
    assert kept["linear"] == pytest.approx(1 + 1 + 6, abs=0.5), kept
    assert kept["most"] == pytest.approx(1 + 1 + 6 + 4, abs=0.5), kept


COUNT_CACHED = """
import torch
from lib.execution.block_runs import Execution
from tests.lib.execution.test_block_runs import _run
_run(Execution(compiled=True, saved="most"))
counts = torch._dynamo.utils.counters["aot_autograd"]
print("hits", counts["autograd_cache_hit"], "misses", counts["autograd_cache_miss"] + counts["autograd_cache_bypass"])
"""


@NEEDS_COMPILER
def test_what_one_job_compiled_the_next_one_takes_from_the_cache(tmp_path: Path) -> None:
    """Another process, with another order of its sets, finds every graph: it neither traces nor compiles one anew."""
    found = []
    for seed in ("1", "2"):
        environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path), "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", COUNT_CACHED]
        job = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        found.append(job.stdout.strip().splitlines()[-1])
    assert found == ["hits 0 misses 2", "hits 2 misses 0"]


def test_streaming_without_saved_inputs_is_a_bug() -> None:
    """Weights that are gone by the backward pass could only give wrong gradients."""
    with pytest.raises(AssertionError):
        _transformer(Execution(saved="everything", stream_weights=True))
