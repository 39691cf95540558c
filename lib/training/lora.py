"""Attach, save and load a LoRA with peft, in the file format that diffusers' pipelines read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn

from lib.config.sections import ChosenExperts
from lib.core.errors import InputError, Problem
from lib.core.files import whole_file
from lib.inputs.lora_files import FACTS_PREFIX, METADATA_KEY, PREFIX
from lib.models.base import VideoModel
from lib.models.experts import Expert, choose_experts
from lib.training.lora_formats import list_parts, read_adapter


def attach_lora(
    transformer: Any, target_modules: Sequence[str], rank: int, alpha: float, seed: int, widen_inputs: bool = False
) -> list[nn.Parameter]:
    """Add a fresh adapter that changes nothing yet, and return its parameters to train.

    The adapter is float32 whatever the base is: an update of 1e-4 is close to the rounding of bfloat16.

    Args:
        transformer: it is added to.
        target_modules: suffixes of the linear layers to adapt.
        rank, alpha: see peft's LoraConfig.
        seed: of its weights.
        widen_inputs: compute in float32 too, as peft does by itself; only to compare with.
    """
    torch.manual_seed(seed)  # peft draws the A matrices from the global generator
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(target_modules), init_lora_weights=True)
    transformer.add_adapter(config)
    parameters = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
    assert parameters, f"no layer of the model ends in {list(target_modules)}"
    for parameter in parameters:
        parameter.data = parameter.data.float()
    if not widen_inputs:
        _compute_in_type_of_inputs(transformer)
    return parameters


@dataclass(frozen=True)
class LoraPart:
    """The LoRA of one denoiser, as a file holds it.

    Attributes:
        name: of the denoiser's component; its tensors and settings are named so in the file.
        weights: by layer and side, on the CPU.
        settings: peft's, JSON-able.
    """

    name: str
    weights: Mapping[str, torch.Tensor]
    settings: Mapping[str, Any]


def take_lora(transformer: Any, name: str = PREFIX) -> LoraPart:
    """Copy the adapter of a transformer to the CPU."""
    config = transformer.peft_config["default"].to_dict()
    settings = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    weights = {key: tensor.contiguous().cpu() for key, tensor in get_peft_model_state_dict(transformer).items()}
    return LoraPart(name, weights, {key: value for key, value in settings.items() if not callable(value)})


def save_lora(transformer: Any, path: Path, facts: Mapping[str, str] | None = None) -> None:
    """Write the adapter of a model's only denoiser, see `save_parts`."""
    save_parts([take_lora(transformer)], path, facts)


def save_parts(parts: Sequence[LoraPart], path: Path, facts: Mapping[str, str] | None = None) -> None:
    """Write a LoRA, with rank and alpha in its metadata, whole or not at all.

    Args:
        parts: one for each denoiser that it adapts.
        path: of the file.
        facts: more of its metadata, which diffusers passes over; see `lib.inputs.shared_lora`.

    Raises:
        InputError: a weight is no number.
    """
    weights = {f"{part.name}.{key}": tensor for part in parts for key, tensor in part.weights.items()}
    if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
        problem = Problem("training.learning_rate", "a LoRA with weights that are no numbers", "a smaller rate")
        raise InputError([problem], kind="not_a_number")
    prefixed = {f"{part.name}.{key}": value for part in parts for key, value in part.settings.items()}
    prefixed |= {f"{FACTS_PREFIX}.{key}": value for key, value in (facts or {}).items()}
    # One key only: safetensors writes several in random order, and the same training must give the same bytes.
    metadata = {METADATA_KEY: json.dumps(prefixed, indent=2, sort_keys=True, default=str)}
    with whole_file(path) as temporary:
        save_file(weights, temporary, metadata=metadata)


def load_lora(
    transformer: Any,
    path: Path,
    trainable: Sequence[str] = (),
    scale: float = 1.0,
    part: str = PREFIX,
    originals: Mapping[str, str] | None = None,
) -> list[nn.Parameter]:
    """Load an adapter and return its parameters: of those that are trained, where some are.

    Args:
        transformer: it is added to.
        path: of the file, which `save_parts` or another program wrote.
        trainable: suffixes of the layers whose parameters take gradients.
        scale: strength, beside alpha / rank; 0 leaves the transformer as it was.
        part: of the file: the name of the transformer's component.
        originals: `Family.original_layers`, for files of other programs; None: such files are not read.

    Raises:
        InputError: the file's layers are not this transformer's, or none of them is to be trained.
    """
    weights, metadata = read_adapter(path, part, originals)
    if not weights:
        raise InputError([Problem(str(path), f"a LoRA without a part for {part}", "a LoRA of this model")])
    _check_layers(transformer, weights, part, path)
    transformer.load_lora_adapter(weights, prefix=part, metadata=metadata, adapter_name="default")
    suffixes = tuple(f".{layer}.lora_" for layer in trainable)
    for name, parameter in transformer.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()
            parameter.requires_grad_(any(suffix in f".{name}" for suffix in suffixes))
    adapted = [parameter for name, parameter in transformer.named_parameters() if "lora_" in name]
    parameters = [parameter for parameter in adapted if parameter.requires_grad or not trainable]
    if trainable and not parameters:
        raise InputError([Problem(str(path), "a LoRA without any layer that is to be trained", " or ".join(trainable))])
    for layer in transformer.modules():
        if isinstance(layer, LoraLayer):
            layer.set_scale("default", scale)
    _compute_in_type_of_inputs(transformer)
    return parameters


Factors = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""(rank, in) and (out, rank) of each adapted layer, by diffusers' name of it."""


@dataclass(frozen=True)
class ExtraLora:
    """A LoRA beside the clip's own.

    Attributes:
        factors: see `lib.training.lora_formats.scaled_factors`.
        strength: of it.
        experts: of the model that get it.
    """

    factors: Factors
    strength: float
    experts: ChosenExperts = "all"


def load_for_generation(
    model: VideoModel,
    path: Path | None,
    scale: float,
    extra: Sequence[ExtraLora] = (),
    originals: Mapping[str, str] | None = None,
) -> None:
    """Load adapters that are not trained any more; merge them where a big model keeps whole weights on a GPU.

    Args:
        model: with its transformer loaded; each of several experts gets its part of the LoRA, if there is one for it.
        path, scale, originals: see `load_lora`; no path: there is no LoRA of the clip.
        extra: others.

    Raises:
        InputError: see `load_lora`.
    """
    adapted = list_parts(path, originals) if path else []
    if path and not {expert.name for expert in model.experts.all} & set(adapted):
        raise InputError([Problem(str(path), f"a LoRA with parts for {adapted}", "a LoRA of this model")])
    how = model.execution
    merges = how["compiled"] and how["weights"] == "native" and not how["stream_weights"]

    def attach(expert: Expert, transformer: nn.Module) -> None:
        if path and expert.name in adapted:
            load_lora(transformer, path, scale=scale, part=expert.name, originals=originals)
        own = [lora for lora in extra if expert in choose_experts(model.experts.all, lora.experts)]
        for number, lora in enumerate(own):
            _add_lora(transformer, f"extra_{number}", lora.factors, lora.strength)
        if merges and (expert.name in adapted or own):
            merge_lora(transformer)

    model.experts.change("lora", attach)


def _add_lora(transformer: Any, name: str, factors: Factors, strength: float) -> None:
    """Add an adapter beside those that are there; all count."""
    weights = {
        f"{PREFIX}.{layer}.lora_{side}.weight": factor
        for layer, pair in factors.items()
        for side, factor in zip("AB", pair, strict=True)
    }
    _check_layers(transformer, weights, PREFIX, Path(name))
    transformer.load_lora_adapter(weights, prefix=PREFIX, adapter_name=name)
    names = list(transformer.peft_config)
    for layer in transformer.modules():
        if isinstance(layer, LoraLayer):
            layer.set_adapter(names)
            layer.requires_grad_(False)
            if name in layer.scaling:
                layer.set_scale(name, strength)
    _compute_in_type_of_inputs(transformer)


@torch.no_grad()
def merge_lora(transformer: nn.Module) -> None:
    """Add the loaded adapter to the weights, so that a forward pass costs no more than without it.

    At 14B the adapter's thin products, apart, read and write each layer's output once more. Merged weights are rounded
    once more to their type: not for weights in 8 bits, whose rounding would swallow the adapter.
    """
    for layer in transformer.modules():
        if isinstance(layer, LoraLayer):
            layer.merge()


class _CastingLinear(nn.Linear):
    """A linear layer with a weight of its own type, which multiplies in that of its input."""

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return F.linear(hidden_states, self.weight.to(hidden_states.dtype))


def _compute_in_type_of_inputs(transformer: nn.Module) -> None:
    """Cast the adapter's small matrices to the base's type, not its inputs to float32, as peft does.

    The inputs are 300 times the matrices' size at 14B: their float32 copies cost memory and a tenth of a step's time.
    """
    for layer in transformer.modules():
        if isinstance(layer, LoraLayer):
            layer.cast_input_dtype_enabled = False
            for matrices in (layer.lora_A, layer.lora_B):
                for name, matrix in matrices.items():
                    cast = _CastingLinear(matrix.in_features, matrix.out_features, bias=False, device="meta")
                    cast.weight = matrix.weight
                    matrices[name] = cast


def _check_layers(transformer: nn.Module, weights: Mapping[str, torch.Tensor], part: str, path: Path) -> None:
    """Refuse a LoRA of another model: each A matrix must fit the layer it names."""
    layers = dict(transformer.named_modules())
    for name, weight in weights.items():
        layer_name, _, side = name.removeprefix(f"{part}.").rpartition(".lora_")
        layer = layers.get(layer_name)
        layer = getattr(layer, "base_layer", layer)  # of one that another adapter changes already
        if not isinstance(layer, nn.Linear):
            raise InputError([Problem(str(path), f"a LoRA for a layer {layer_name}", "a LoRA of this model")])
        size = layer.in_features if side.startswith("A") else layer.out_features
        found = weight.shape[1] if side.startswith("A") else weight.shape[0]
        if size != found:
            raise InputError([Problem(str(path), f"{found} features for {layer_name}", f"{size} of this model")])
