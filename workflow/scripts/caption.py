"""Caption frame 0 of a clip's source and of an edit."""

from lib.core.files import write_json
from lib.core.provenance import describe
from lib.diffusion.captions import caption_frame, load_captioner, make_prompt
from lib.execution.devices import prepare_torch
from lib.inputs.checkpoints import resolve_path
from lib.stages.log import stage_log
from lib.video.reading import read_first_frame

params, settings = snakemake.params, snakemake.params.settings
with stage_log(snakemake.log[0], f"caption: {', '.join(snakemake.wildcards)}", snakemake.resources.attempt):
    device, _ = prepare_torch(params.machine["model.device"], "float32", snakemake.threads)
    name, download = resolve_path(settings["caption.model"]), params.machine["model.download"]
    model, processor = load_captioner(name, device, download)
    options = [settings[f"caption.{key}"] for key in ("task", "num_beams", "max_new_tokens")]
    captions = {}
    for picture, path in snakemake.input.items():
        caption = caption_frame(model, processor, read_first_frame(path), *options)
        captions[picture] = {"caption": caption, "prompt": make_prompt(params.trigger_word, caption)}
        print(f"{picture}: {caption}")
    made = describe("caption", {**settings, "trigger_word": params.trigger_word}, snakemake.input, [])
    write_json(snakemake.output.captions, {**captions, "provenance": made})
