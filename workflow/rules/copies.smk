# Which copies of LoRAs are to be written for other programs: of those that videos are made with, where they are asked for.
# In: SETTINGS, LAYOUT, DENOISERS. Out: EXPORTS, exported_loras, are_exported.
FORMAT = SETTINGS.training.lora_format
TO_EXPORT = DENOISERS if SETTINGS.training.experts == "all" else DENOISERS[:1]
ENDS = ["_high_noise", "_low_noise"] if len(DENOISERS) > 1 else [""]
# Whose part of a LoRA each copy has, by what stands before its ending.
EXPORTS = {f"{FORMAT}{end}": expert for end, expert in zip(ENDS, TO_EXPORT)} if FORMAT else {}


def exported_loras(videos):
    """The copies of the LoRAs that edited videos are made with; of a LoRA that was given there is none."""
    ours = [names for names in videos if EXPORTS and names[2] in METHODS]
    made = [LAYOUT.made_lora(CLIPS[clip], EDITS[clip, edit], METHODS[method]) for clip, edit, method in ours]
    loras = [lora.removesuffix(".safetensors") for lora in dict.fromkeys(made) if lora]
    return [f"{lora}.{export}.safetensors" for lora in loras for export in EXPORTS]


def are_exported(videos):
    """Whether these copies are there."""
    return all(Path(path).exists() for path in exported_loras(videos))
