"""Fine-tune a LoRA: stage decouple on the clip, stage appearance on an edit's references as well."""

from lib.core.files import write_json
from lib.core.provenance import describe
from lib.diffusion.encoding import largest_batch, load_samples
from lib.execution.devices import describe_device
from lib.stages.log import stage_log
from lib.stages.model import load_stage_model
from lib.training.fine_tuning import Adapter, train_lora
from lib.training.loop import Objective, Optimizer
from lib.training.schedule import make_schedule
from lib.training.state import fingerprint

params, inputs, outputs = snakemake.params, snakemake.input, snakemake.output
settings = {**params.settings, **params.machine, "num_steps": params.num_steps}
with stage_log(
    snakemake.log[0], f"train_lora, {params.stage}: {', '.join(snakemake.wildcards)}", snakemake.resources.attempt
):
    training = {key.removeprefix("training."): value for key, value in params.settings.items()}
    draws = training.get("reference_draws", 1)
    size = largest_batch(inputs.source, inputs.get("edit"), draws)
    model, device = load_stage_model(settings, {"transformer"}, snakemake.threads, size, True, snakemake.log[0])
    samples = load_samples(inputs.source, inputs.get("edit"), device)
    counts = tuple(len(of_kind) for of_kind in samples.values())
    shares = (training["recoloured_share"], training.get("references_share", 0.0))
    schedule = make_schedule(params.num_steps, counts, *shares, draws)
    adapter = Adapter(*[training[key] for key in Adapter.__annotations__])
    optimizer = Optimizer(*[training[key] for key in Optimizer.__annotations__])
    objective = Objective(*[training[key] for key in Objective.__annotations__])
    made = describe("train_lora", settings, inputs, [], str(device))
    same = fingerprint({key: value for key, value in made.items() if key != "made"})
    files = (inputs.get("lora"), outputs.lora, outputs.curve, same)
    flat = [sample for of_kind in samples.values() for sample in of_kind]
    train_lora(model, flat, schedule, adapter, optimizer, objective, training["seed"], *files)
    made = describe("train_lora", settings, inputs, outputs[:2], describe_device(device))
    write_json(outputs.provenance, {**made, "execution": model.execution})
