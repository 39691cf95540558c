"""Fine-tune a LoRA: stage decouple on the clip, stage appearance on an edit's references as well."""

from lib.encoding import load_samples
from lib.files import write_json
from lib.provenance import describe
from lib.stage_log import stage_log
from lib.stage_model import load_stage_model
from lib.training import Adapter, Optimizer, make_schedule, train_lora

params, inputs, outputs = snakemake.params, snakemake.input, snakemake.output
settings = {**params.settings, **params.machine}
with stage_log(snakemake.log[0], f"train_lora, {params.stage}: {', '.join(snakemake.wildcards)}"):
    model, device = load_stage_model(settings, {"transformer"}, snakemake.threads)
    clip, references = load_samples(inputs.source, inputs.get("edit"), device)
    training = {key.removeprefix("training."): value for key, value in params.settings.items()}
    shares = (training["recoloured_share"], len(references), training.get("references_share", 0.0))
    schedule = make_schedule(training["num_steps"], len(clip) - 1, *shares)
    adapter = Adapter(*[training[key] for key in Adapter.__annotations__])
    optimizer = Optimizer(*[training[key] for key in Optimizer.__annotations__])
    files = (inputs.get("lora"), outputs.lora, outputs.curve)
    draws = (training["sigma_shift"], training["seed"])
    train_lora(model, clip + references, schedule, adapter, optimizer, *draws, *files)
    write_json(outputs.provenance, describe("train_lora", settings, inputs, outputs[:2], str(device)))
