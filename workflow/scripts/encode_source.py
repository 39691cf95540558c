"""Encode a clip for stage 1."""

import numpy as np

from lib.devices import prepare_torch
from lib.encoding import encode_source, save_encoded
from lib.files import read_json
from lib.models import load_model
from lib.stage_log import stage_log
from lib.video_io import read_mask, read_video

model_settings = {**snakemake.params.settings, **snakemake.params.machine}
wildcards = snakemake.wildcards
with stage_log(snakemake.log[0], f"encode_source: {wildcards.clip}, {wildcards.mask}"):
    device, dtype = prepare_torch(model_settings["model.device"], model_settings["model.dtype"], snakemake.threads)
    model = load_model(
        model_settings["model.name"], {"vae", "encoders"}, family=model_settings["model.family"],
        device=device, dtype=dtype, download=model_settings["model.download"],
    )  # fmt: skip
    union = np.any([read_mask(path) for path in snakemake.input.masks], axis=0)
    prompt = read_json(snakemake.input.caption)["prompt"]
    encoded = encode_source(model, read_video(snakemake.input.video), union, prompt, wildcards.mask)
    save_encoded(encoded, snakemake.output.encoded)
