"""Generate an edited video from its encoded first frame, source background and mask."""

from lib.core.files import read_json, whole_file, write_json
from lib.core.provenance import describe
from lib.diffusion.encoding import largest_latents, load_encoded
from lib.diffusion.generation import EditedClip, Sampling, generate_video
from lib.execution.devices import describe_device
from lib.masks.compositing import correct_edited
from lib.stages.log import stage_log
from lib.stages.model import load_stage_model
from lib.training.lora import load_for_generation
from lib.video.probing import VideoInfo
from lib.video.reading import read_first_frame, read_mask, read_video
from lib.video.sound import read_sound
from lib.video.writing import write_lossless, write_viewable

params, inputs, outputs, wildcards = snakemake.params, snakemake.input, snakemake.output, snakemake.wildcards
OF_METHOD = ("lora_scale", "lock_latents", "composite", "num_steps", "guidance", "cache_threshold")
own = {f"sampling.{key}": params[key] for key in OF_METHOD}
settings = {**params.settings, **params.machine, **own, "seed": params.seed}
with stage_log(
    snakemake.log[0], f"generate: {wildcards.clip}, {wildcards.edit}, {wildcards.method}", snakemake.resources.attempt
):
    size = largest_latents(inputs.encoded)
    model, device = load_stage_model(settings, {"vae", "transformer"}, snakemake.threads, size, log=snakemake.log[0])
    for lora in inputs.lora:
        load_for_generation(model, lora, params.lora_scale)
    given = {key.removeprefix("sampling."): value for key, value in settings.items()}
    sampling = Sampling(*[given[key] for key in Sampling.__annotations__])
    source, mask = read_video(inputs.video), read_mask(inputs.mask)
    how = (source[0], mask[0], settings["mask.correct_edited"])
    clip = EditedClip(source, correct_edited(read_first_frame(inputs.first_frame), *how), mask, params.mask_kind)
    video = generate_video(model, load_encoded(inputs.encoded, device), clip, params.windows, sampling)
    facts, sound = read_json(inputs.facts), read_sound(inputs.video)
    with whole_file(outputs.lossless) as path:
        write_lossless(path, video, facts["times"], sound)
    with whole_file(outputs.video) as path:
        write_viewable(path, video, facts["times"], params.crf, sound, VideoInfo(**facts["source"]))
    made = describe("generate", settings, inputs, outputs[:2], describe_device(device))
    write_json(outputs.provenance, {**made, "execution": model.execution})
