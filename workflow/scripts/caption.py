"""Caption a clip's or an edit's frame 0, unless the user gave the prompt."""

from lib.captions import caption_frame, load_captioner, make_prompt
from lib.checkpoints import resolve_path
from lib.devices import prepare_torch
from lib.files import write_json
from lib.provenance import describe
from lib.stage_log import stage_log
from lib.video_io import read_first_frame

params, settings = snakemake.params, snakemake.params.settings
with stage_log(snakemake.log[0], f"caption: {', '.join(snakemake.wildcards)}"):
    caption = params.prompt
    if caption is None:
        device, _ = prepare_torch(params.machine["model.device"], "float32", snakemake.threads)
        name, download = resolve_path(settings["caption.model"]), params.machine["model.download"]
        model, processor = load_captioner(name, device, download)
        options = [settings[f"caption.{key}"] for key in ("task", "num_beams", "max_new_tokens")]
        caption = caption_frame(model, processor, read_first_frame(snakemake.input.picture), *options)
    prompt = make_prompt(params.trigger_word, caption)
    print(prompt)
    made = describe("caption", {**settings, "prompt": params.prompt}, [snakemake.input.picture], [])
    write_json(snakemake.output.caption, {"caption": caption, "prompt": prompt, "provenance": made})
