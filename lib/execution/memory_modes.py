"""Which of a model's memory modes a stage runs in: the fastest that fits the GPU, or the one the user names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from lib.config.sections import MemoryMode, WeightStore
from lib.execution.block_runs import FP8_STORES, Execution, Saved

RESERVE = 0.04  # share of the free memory that fragments and the libraries' own buffers may take
FP8_SHARE = 0.52  # of the memory of bfloat16 weights
MOST_AT_ONCE = 64  # samples of a batch; more gain nothing
BIG_MODEL = 1e9  # parameters from which compiling, half a minute, pays within one clip


@dataclass(frozen=True)
class Costs:
    """What a family's blocks take of a GPU beside their weights, as measured.

    Attributes:
        saved_outputs: kept per block for the backward pass, by what is saved; in outputs of the model's width.
        training_work, generation_work: what one block's backward pass, or forward pass alone, has in use at once, in
            such outputs.
        adapter_bytes: of a LoRA with its gradients and AdamW's moments.
    """

    saved_outputs: Mapping[Saved, float]
    training_work: float
    generation_work: float
    adapter_bytes: float


@dataclass(frozen=True)
class Needs:
    """What a transformer needs, for one size of clip.

    Attributes:
        num_blocks: alike, of its transformer.
        block_bytes: weights of one block.
        other_bytes: weights outside of the blocks.
        output_bytes: one activation of the model's width for all tokens of a clip.
        num_parameters: of the whole.
        costs: of its family.
    """

    num_blocks: int
    block_bytes: int
    other_bytes: int
    output_bytes: int
    num_parameters: int
    costs: Costs


@dataclass(frozen=True)
class MemoryUse:
    """How a stage wants its model to use memory.

    Attributes:
        mode: see `choose_execution`.
        weights: see `lib.execution.block_runs.Execution`.
        latents_shape: (batch, channels, latent frames, height, width) that the transformer will be given.
        training: whether a backward pass follows.
    """

    mode: MemoryMode = "auto"
    weights: WeightStore = "native"
    latents_shape: tuple[int, ...] = (1, 16, 1, 2, 2)
    training: bool = False


def choose_execution(
    mode: MemoryMode, weights: WeightStore, needs: Needs, training: bool, free_bytes: int | None
) -> tuple[str, Execution]:
    """Return a mode and how it runs the blocks.

    Args:
        mode: `auto` takes the first of fast, balanced and low that fits; low where none does.
        weights: see `lib.execution.block_runs.Execution`.
        needs: of the model and the clip.
        training: whether a backward pass follows.
        free_bytes: of the GPU; None: there is none, and memory is the host's.
    """
    if free_bytes is None:
        saved: Saved = "everything" if mode in ("auto", "fast") else "inputs"
        streams = mode == "low"
        named = "fast" if mode == "auto" else mode
        return named, Execution(False, saved, stream_weights=streams, offload_inputs=streams, weights=weights)
    compiled = needs.num_parameters >= BIG_MODEL
    choices = [
        (name, replace(execution, compiled=compiled, weights=weights))
        for name, execution in _modes(training)
        if mode in ("auto", name)
    ]
    room = free_bytes * (1 - RESERVE)
    fitting = (choice for choice in choices if estimate_gpu_bytes(choice[1], needs, training) <= room)
    return next(fitting, choices[-1])


def estimate_gpu_bytes(execution: Execution, needs: Needs, training: bool) -> int:
    """Estimate the most memory of the GPU that a stage takes, weights and all."""
    share = _weights_share(execution)
    resident = 2 if execution.stream_weights else needs.num_blocks
    weights = needs.other_bytes + resident * needs.block_bytes * share
    if not training:
        return int(weights + needs.costs.generation_work * needs.output_bytes)
    saved = 3 if execution.offload_inputs else needs.num_blocks * needs.costs.saved_outputs[execution.saved]
    return int(weights + needs.costs.adapter_bytes + (needs.costs.training_work + saved) * needs.output_bytes)


def samples_at_once(execution: Execution, needs: Needs, training: bool, free_bytes: int | None) -> int | None:
    """Return how many samples of this size a batch may have, at least one; None: as many as one likes, on the CPU.

    Args:
        execution: how the blocks are run, chosen for one sample.
        needs: for one sample.
        training: whether a backward pass follows.
        free_bytes: of the GPU; None: there is none.
    """
    if free_bytes is None:
        return None
    count = 1
    while count < MOST_AT_ONCE:
        more = replace(needs, output_bytes=(count + 1) * needs.output_bytes)
        if estimate_gpu_bytes(execution, more, training) > free_bytes * (1 - RESERVE):
            break
        count += 1
    return count


def fits_beside(execution: Execution, needs: Needs, num_others: int, free_bytes: int | None) -> bool:
    """Tell whether the weights of other transformers, alike, may stay while one generates.

    Args:
        execution: how each is run.
        needs: of one.
        num_others: beside it.
        free_bytes: of the GPU; None: there is none.
    """
    if num_others == 0:
        return True
    if execution.stream_weights:
        return False  # they would wait in the host's memory, twice as much of it as one model asks for
    if free_bytes is None:
        return True
    share = _weights_share(execution)
    others = num_others * (needs.other_bytes + needs.num_blocks * needs.block_bytes * share)
    return estimate_gpu_bytes(execution, needs, training=False) + others <= free_bytes * (1 - RESERVE)


def _weights_share(execution: Execution) -> float:
    """Return what share of `Needs.block_bytes` the blocks take; what GGUF files hold is counted there already."""
    return FP8_SHARE if execution.weights in FP8_STORES else 1.0


def _modes(training: bool) -> Iterator[tuple[str, Execution]]:
    """List ways to run on a GPU, the fastest first."""
    if training:
        yield "fast", Execution(saved="everything")
        yield "fast", Execution(saved="most")
        yield "fast", Execution(saved="linear")
        yield "fast", Execution(saved="attention")
        yield "balanced", Execution(saved="inputs")
    else:
        yield "fast", Execution()
        yield "balanced", Execution()
    yield "low", Execution(saved="inputs", stream_weights=True, offload_inputs=training)


def stream_encoder(mode: MemoryMode, needed_bytes: float, free_bytes: int | None) -> bool:
    """Tell whether a text encoder's blocks are to be streamed: in mode low, and in auto where it does not fit whole."""
    fits = free_bytes is None or needed_bytes <= free_bytes * (1 - RESERVE)
    return mode == "low" or (mode == "auto" and not fits)


def tile_vae(mode: MemoryMode, needed_bytes: float, free_bytes: int | None) -> bool:
    """Tell whether a VAE is to work tile by tile: in mode low, and in auto where whole frames do not fit.

    Tiles save most of the memory, take more time, and make slightly other pixels.
    """
    fits = free_bytes is None or needed_bytes <= free_bytes * (1 - RESERVE)
    return free_bytes is not None and (mode == "low" or (mode == "auto" and not fits))
