"""Fine-tune a LoRA: stage decouple on the clip, stage appearance on an edit's references as well."""

from lib.encoding import load_samples
from lib.files import write_json
from lib.provenance import describe
from lib.stage_log import stage_log
from lib.stage_model import load_stage_model
from lib.training import Adapter, Optimizer, make_schedule, train_lora

params, inputs, outputs = snakemake.params, snakemake.input, snakemake.output
settings = {**params.settings, **params.machine, "num_steps": params.num_steps, "source_share": params.source_share}
with stage_log(snakemake.log[0], f"train_lora, {params.stage}: {', '.join(snakemake.wildcards)}"):
    model, device = load_stage_model(settings, {"transformer"}, snakemake.threads)
    samples = load_samples(inputs.source, inputs.get("edit"), device)
    schedule = make_schedule(params.num_steps, len(samples) - 1, params.source_share)
    training = {key.removeprefix("training."): value for key, value in params.settings.items()}
    adapter = Adapter(*[training[key] for key in Adapter.__annotations__])
    optimizer = Optimizer(*[training[key] for key in Optimizer.__annotations__])
    files = (inputs.get("lora"), outputs.lora, outputs.curve)
    draws = (training["sigma_shift"], training["seed"])
    train_lora(model, samples, schedule, adapter, optimizer, *draws, *files)
    write_json(outputs.provenance, describe("train_lora", settings, inputs, outputs[:2], str(device)))
