"""Write a LoRA once more, under the names that another program reads."""

from pathlib import Path

from lib.config.sections import ModelSection
from lib.config.training_sections import TrainingSection
from lib.stages.job import Files, Params
from lib.training.lora_formats import read_lora, write_lora


class Inputs(Files):
    """The LoRA."""

    lora: Path


class Outputs(Files):
    """Its copy."""

    exported: Path


class ExportLora(Params):
    """How it is written.

    model: family. training: lora_format. expert: the denoiser whose part is written.
    """

    model: ModelSection
    training: TrainingSection
    expert: str


def export_lora(inputs: Inputs, outputs: Outputs, params: ExportLora) -> None:
    """Write the copy."""
    kind, family = params.training.lora_format, params.model.family
    assert kind is not None, "no rule asks for copies without a format"
    write_lora(read_lora(inputs.lora, family, params.expert), outputs.exported, kind, family)
