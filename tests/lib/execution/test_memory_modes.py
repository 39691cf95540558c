"""Which mode a card gets, and that the estimates behind it agree with what was measured on an H200."""

import pytest
import torch

from demo.benchmark.architectures import WAN22_A14B, WAN22_TI2V, WAN_14B
from demo.benchmark.random_models import random_transformer
from lib.core.units import GIB
from lib.execution.block_runs import Execution
from lib.execution.memory_modes import (
    Needs,
    choose_execution,
    estimate_gpu_bytes,
    fits_beside,
    stream_encoder,
    tile_vae,
)
from lib.models.wan.memory import ENCODER_WORK, TOKEN_TIMES_COSTS, VAE_BYTES, transformer_needs

LATENTS_480P = (1, 16, 13, 60, 104)  # 49 frames of 832x480
LOW = Execution(True, "inputs", stream_weights=True, offload_inputs=True)
LATENTS_81_FRAMES, LATENTS_720P, EIGHT_REFERENCES = (1, 16, 21, 60, 104), (1, 16, 13, 90, 160), (8, 16, 1, 60, 104)
LATENTS_720P_81_FRAMES = (1, 16, 21, 90, 160)
MEASURED = [  # how, for which latents, GiB in training: docs/speed.md
    (Execution(True, "most"), LATENTS_480P, 118.6),
    (Execution(True, "linear"), LATENTS_480P, 98.6),
    (Execution(True, "attention"), LATENTS_480P, 53.4),
    (Execution(True, "attention"), LATENTS_81_FRAMES, 66.8),
    (Execution(True, "attention"), LATENTS_720P, 81.9),
    (Execution(True, "attention"), LATENTS_720P_81_FRAMES, 112.8),
    (Execution(True, "inputs"), LATENTS_480P, 45.4),
    (Execution(True, "inputs"), LATENTS_720P, 63.6),
    (LOW, LATENTS_480P, 10.0),
    (LOW, EIGHT_REFERENCES, 7.6),
    (LOW, LATENTS_81_FRAMES, 14.1),
    (LOW, LATENTS_720P, 18.7),
    (LOW, LATENTS_720P_81_FRAMES, 28.3),
    (Execution(True, "most", weights="fp8"), LATENTS_480P, 103.5),
    (Execution(True, "attention", weights="fp8"), LATENTS_480P, 38.6),
    (Execution(True, "inputs", weights="fp8"), LATENTS_81_FRAMES, 39.4),
]


def _needs(latents: tuple[int, ...] = LATENTS_480P) -> Needs:
    return transformer_needs(WAN_14B, latents, torch.bfloat16)


@pytest.mark.parametrize(("execution", "latents", "gib"), MEASURED)
def test_estimates_are_near_the_measured_peaks_and_not_below(
    execution: Execution, latents: tuple[int, ...], gib: float
) -> None:
    """At most a tenth over, or one GiB."""
    estimate = estimate_gpu_bytes(execution, _needs(latents), training=True) / GIB
    assert gib <= estimate <= max(1.1 * gib, gib + 1.0)


@pytest.mark.parametrize(
    ("card", "mode", "saved"),
    [
        (12, "low", "inputs"),
        (16, "low", "inputs"),
        (24, "low", "inputs"),
        (48, "low", "inputs"),
        (80, "fast", "attention"),
        (139, "fast", "most"),
    ],
)
def test_auto_takes_the_fastest_mode_that_fits(card: int, mode: str, saved: str) -> None:
    """GiB of the card, less half for the driver, against what is chosen for the 14B model."""
    name, execution = choose_execution("auto", "native", _needs(), True, int((card - 0.5) * GIB))
    assert (name, execution.saved) == (mode, saved) and execution.compiled


def test_weights_in_8_bits_bring_the_resident_modes_to_smaller_cards() -> None:
    """A card of 48 GB then keeps the attention's outputs, and one of 24 generates without streaming."""
    assert choose_execution("auto", "fp8", _needs(), True, int(47.5 * GIB))[1].saved == "attention"
    assert not choose_execution("auto", "fp8", _needs(), False, int(23.5 * GIB))[1].stream_weights


def test_a_named_mode_is_taken_whether_it_fits_or_not() -> None:
    """The user's word counts; fast adapts what it keeps, as far as it can."""
    for mode in ("fast", "balanced", "low"):
        assert choose_execution(mode, "native", _needs(), True, GIB)[0] == mode  # type: ignore[arg-type]


def test_needs_count_the_real_parameters() -> None:
    """Within 2 % of a model that is really built, small as it is, block by block and as a whole."""
    config = {**WAN_14B, "num_attention_heads": 4, "ffn_dim": 1024, "num_layers": 3, "added_kv_proj_dim": 512}
    built = random_transformer(config, torch.device("cpu"), torch.float32, torch.device("cpu"))
    needs = transformer_needs(config, LATENTS_480P, torch.float32)
    block = sum(parameter.nbytes for parameter in built.blocks[0].parameters())
    assert needs.block_bytes == pytest.approx(block, rel=0.02)
    assert needs.num_parameters == pytest.approx(sum(value.numel() for value in built.parameters()), rel=0.3)
    assert transformer_needs(WAN_14B, LATENTS_480P, torch.bfloat16).num_parameters == pytest.approx(16.4e9, rel=0.02)


def test_the_vae_and_the_text_encoder_give_way_too() -> None:
    """Tiles and streaming where whole pictures and weights do not fit, or in mode low; never on a CPU."""
    small, large = VAE_BYTES * 832 * 480, VAE_BYTES * 1280 * 720
    assert not tile_vae("auto", small, 24 * GIB) and tile_vae("auto", large, 16 * GIB)
    assert tile_vae("low", small, 80 * GIB) and not tile_vae("low", small, None)
    umt5_xxl = int(10.6 * GIB) + ENCODER_WORK
    assert stream_encoder("auto", umt5_xxl, 16 * GIB) and not stream_encoder("auto", umt5_xxl, 24 * GIB)


def test_sizes_of_wan22_are_those_that_were_published() -> None:
    """14.3 billion parameters an expert, and 5.0 billion, counted from their configs."""
    assert transformer_needs(WAN22_A14B, LATENTS_480P, torch.bfloat16).num_parameters == pytest.approx(
        14.29e9, rel=0.02
    )
    latents = (1, 48, 13, 44, 80)  # 49 frames of 1280x704
    needs = transformer_needs(WAN22_TI2V, latents, torch.bfloat16, TOKEN_TIMES_COSTS)
    assert needs.num_parameters == pytest.approx(5.0e9, rel=0.02)
    assert choose_execution("auto", "native", needs, training=True, free_bytes=24 * GIB)[0] != "low"


@pytest.mark.parametrize(("card", "fits"), [(24, False), (48, False), (80, True), (139, True)])
def test_both_experts_stay_where_they_fit(card: int, fits: bool) -> None:
    """Two times 27 GiB of weights; where weights are streamed, one at a time; on the CPU both."""
    needs = transformer_needs(WAN22_A14B, LATENTS_480P, torch.bfloat16)
    _, execution = choose_execution("auto", "native", needs, training=False, free_bytes=card * GIB)
    assert fits_beside(execution, needs, 1, card * GIB) == fits
    assert fits_beside(execution, needs, 0, card * GIB), "a model of one has nobody beside it"
    assert not fits_beside(LOW, needs, 1, card * GIB)
    assert fits_beside(Execution(), needs, 1, None)
