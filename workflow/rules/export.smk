# The LoRAs that videos are made with, once more under the names that another program reads; only where they are asked for.
# In: a LoRA that the run makes. Out: the copy beside it, such as decouple.comfyui.safetensors; of two experts one for each.


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
