"""Generate an edited video from its encoded first frame, source background and mask."""

from lib.files import read_json, whole_file, write_json
from lib.generation import generate_video
from lib.provenance import describe
from lib.sound import read_sound
from lib.stage_log import stage_log
from lib.stage_model import load_stage_model
from lib.video_io import VideoInfo, write_lossless, write_viewable

params, inputs, outputs, wildcards = snakemake.params, snakemake.input, snakemake.output, snakemake.wildcards
settings = {**params.settings, **params.machine, "seed": params.seed}
with stage_log(snakemake.log[0], f"generate: {wildcards.clip}, {wildcards.edit}, {wildcards.method}"):
    model, device = load_stage_model(settings, {"vae", "transformer"}, snakemake.threads)
    sampling = [settings[f"sampling.{key}"] for key in ("num_steps", "guidance", "shift")]
    video = generate_video(model, inputs.encoded, next(iter(inputs.lora), None), *sampling, params.seed)
    facts, sound = read_json(inputs.facts), read_sound(inputs.video)
    with whole_file(outputs.lossless) as path:
        write_lossless(path, video, facts["times"], sound)
    with whole_file(outputs.video) as path:
        write_viewable(path, video, facts["times"], params.crf, sound, VideoInfo(**facts["source"]))
    write_json(outputs.provenance, describe("generate", settings, inputs, outputs[:2], str(device)))
