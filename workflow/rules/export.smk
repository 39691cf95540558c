# The LoRAs that videos are made with, once more under the names that another program reads; only where they are asked for.
# In: a LoRA that the run makes. Out: the copy beside it, such as decouple.comfyui.safetensors; of two experts one for each.
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


rule export_lora_decouple:
    input:
        lora="<results>/{clip}/lora/{mask}/decouple.safetensors",
    output:
        exported="<results>/{clip}/lora/{mask}/decouple.{export}.safetensors",
    log:
        "<logs>/{clip}/export_lora_decouple.{mask}.{export}.log",
    benchmark:
        "<benchmarks>/{clip}/export_lora_decouple.{mask}.{export}.tsv"
    wildcard_constraints:
        export="|".join(EXPORTS) or NONE,
    localrule: True
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
    params:
        title=titled("export LoRA, decouple"),
        version=STAGE_VERSIONS["export_lora"],
        model=SETTINGS.model.only("family"),
        training=SETTINGS.training.only("lora_format"),
        own=lambda wildcards: dict(expert=EXPORTS[wildcards.export]),
    message:
        "{params.title}"
    script:
        "../scripts/export_lora.py"


use rule export_lora_decouple as export_lora_decouple_own with:
    input:
        lora="<results>/{clip}/{edit}/lora/own_{mask}/decouple.safetensors",
    output:
        exported="<results>/{clip}/{edit}/lora/own_{mask}/decouple.{export}.safetensors",
    log:
        "<logs>/{clip}/{edit}/export_lora_decouple_own.{mask}.{export}.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/export_lora_decouple_own.{mask}.{export}.tsv"


use rule export_lora_decouple as export_lora_appearance with:
    input:
        lora="<results>/{clip}/{edit}/lora/{lora}/appearance.safetensors",
    output:
        exported="<results>/{clip}/{edit}/lora/{lora}/appearance.{export}.safetensors",
    log:
        "<logs>/{clip}/{edit}/export_lora_appearance.{lora}.{export}.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/export_lora_appearance.{lora}.{export}.tsv"


use rule export_lora_decouple as export_lora_shared with:
    input:
        lora="<results>/shared/{mask}.safetensors",
    output:
        exported="<results>/shared/{mask}.{export}.safetensors",
    log:
        "<logs>/shared/export_lora_shared.{mask}.{export}.log",
    benchmark:
        "<benchmarks>/shared/export_lora_shared.{mask}.{export}.tsv"
