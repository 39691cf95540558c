"""Fine-tune a LoRA: stage decouple on the clip, stage appearance on an edit's references as well."""

from pathlib import Path

from lib.config.families import family_of
from lib.config.sections import ModelSection
from lib.config.training_sections import TrainingSection
from lib.core.files import write_json
from lib.core.provenance import describe
from lib.diffusion.encoding import largest_batch, load_samples
from lib.execution.devices import describe_device
from lib.stages.job import Files, Job, Params
from lib.stages.model import load_transformer
from lib.training import fine_tuning
from lib.training.fine_tuning import Adapter
from lib.training.loop import Objective, Optimizer
from lib.training.schedule import make_schedule
from lib.training.state import fingerprint


class Inputs(Files):
    """Encoded samples of the clip, for stage appearance also of the edit, and the LoRA of stage decouple."""

    source: Path
    edit: Path | None = None
    lora: Path | None = None


class Outputs(Files):
    """The LoRA, its loss curve (a JSON object a line), and what made it."""

    lora: Path
    curve: Path
    provenance: Path


class TrainLora(Params):
    """How the LoRA is trained.

    model: name, family, dtype, weights, device, download and memory.
    training: rank, alpha, layers, AdamW's, sigma_shift, region_weight and seed; learning_rate and recoloured_share of
    this stage; experts where it is not all.
    num_steps: of this stage. references_share, reference_draws: see `lib.training.schedule.make_schedule`.
    """

    model: ModelSection
    training: TrainingSection
    num_steps: int
    references_share: float
    reference_draws: int


def train_lora(inputs: Inputs, outputs: Outputs, params: TrainLora, job: Job) -> None:
    """Train one LoRA of a clip or of an edit."""
    training = params.training
    size = largest_batch(inputs.source, inputs.edit, params.reference_draws)
    model, device = load_transformer(params.model, job, latents_shape=size, training=True)
    samples = load_samples(inputs.source, inputs.edit, device)
    schedule = make_schedule(
        params.num_steps,
        samples.counts,
        copies_share=training.recoloured_share,
        references_share=params.references_share,
        reference_draws=params.reference_draws,
    )
    given = [path for path in (inputs.source, inputs.edit, inputs.lora) if path]
    settings = params.described()
    planned = describe("train_lora", settings, given, [], str(device))
    fine_tuning.train_lora(
        model,
        samples.in_order,
        schedule,
        Adapter(rank=training.rank, alpha=training.alpha, layers=tuple(training.layers)),
        _optimizer(training),
        Objective(sigma_shift=training.sigma_shift, region_weight=training.region_weight),
        seed=training.seed,
        start_from=inputs.lora,
        lora_path=outputs.lora,
        curve_path=outputs.curve,
        training=fingerprint({key: value for key, value in planned.items() if key != "made"}),
        experts=training.held().get("experts", "all"),
        originals=family_of(params.model.family).original_layers,
    )
    made = describe("train_lora", settings, given, [outputs.lora, outputs.curve], describe_device(device))
    write_json(outputs.provenance, {**made, "execution": model.execution})


def _optimizer(training: TrainingSection) -> Optimizer:
    return Optimizer(
        learning_rate=training.learning_rate,
        decay_share=training.decay_share,
        beta1=training.beta1,
        beta2=training.beta2,
        weight_decay=training.weight_decay,
        gradient_clip=training.gradient_clip,
    )
