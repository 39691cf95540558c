# Fine-tune a LoRA on one clip, a fresh one or the shared one; where an edit has references, continue it on them.
# In: encoded/MASK.safetensors, the shared LoRA if any. Out: lora/MASK/decouple.safetensors of the clip, appearance.safetensors of the edit.
DENOISER = SETTINGS.model.only("name", "family", "dtype", "weights", "device", "download", "memory") | FROM_FILES
TRAINING = EXPERTS | SETTINGS.training.only(
    "rank",
    "alpha",
    "layers",
    "decay_share",
    "beta1",
    "beta2",
    "weight_decay",
    "gradient_clip",
    "sigma_shift",
    "region_weight",
    "seed",
)


rule train_lora_decouple:
    input:
        source="<results>/{clip}/encoded/{mask}.safetensors",
        lora=lambda wildcards: LAYOUT.shared_lora(wildcards.mask) or [],
    output:
        lora="<results>/{clip}/lora/{mask}/decouple.safetensors",
        curve="<results>/{clip}/lora/{mask}/decouple.jsonl",
        provenance="<results>/{clip}/lora/{mask}/decouple.json",
    log:
        "<logs>/{clip}/train_lora_decouple.{mask}.log",
    benchmark:
        "<benchmarks>/{clip}/train_lora_decouple.{mask}.tsv"
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("train LoRA, decouple"),
        version=STAGE_VERSIONS["train_lora"],
        model=DENOISER,
        models=MODEL_FILES.of("model.name", only=OF_DENOISERS) | OF_FILES,
        training=stage_1_settings,
        own=lambda wildcards: dict(
            num_steps=stage_1_steps(wildcards),
            references_share=0.0,
            reference_draws=1,
        ),
    message:
        "{params.title}"
    script:
        "../scripts/train_lora.py"


use rule train_lora_decouple as train_lora_decouple_own with:
    input:
        source="<results>/{clip}/{edit}/encoded/source_{mask}.safetensors",
        lora=lambda wildcards: LAYOUT.shared_lora(wildcards.mask) or [],
    output:
        lora="<results>/{clip}/{edit}/lora/own_{mask}/decouple.safetensors",
        curve="<results>/{clip}/{edit}/lora/own_{mask}/decouple.jsonl",
        provenance="<results>/{clip}/{edit}/lora/own_{mask}/decouple.json",
    log:
        "<logs>/{clip}/{edit}/train_lora_decouple_own.{mask}.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/train_lora_decouple_own.{mask}.tsv"


use rule train_lora_decouple as train_lora_appearance with:
    input:
        source=lambda wildcards: LAYOUT.source_of_lora(wildcards.clip, wildcards.edit, wildcards.lora),
        edit=lambda wildcards: (
            f"{LAYOUT.folder(wildcards.clip, wildcards.edit)}/encoded/{wildcards.lora.removeprefix(OWN)}.safetensors"
        ),
        lora=lambda wildcards: LAYOUT.stage_1_lora(wildcards.clip, wildcards.edit, wildcards.lora),
    output:
        lora="<results>/{clip}/{edit}/lora/{lora}/appearance.safetensors",
        curve="<results>/{clip}/{edit}/lora/{lora}/appearance.jsonl",
        provenance="<results>/{clip}/{edit}/lora/{lora}/appearance.json",
    log:
        "<logs>/{clip}/{edit}/train_lora_appearance.{lora}.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/train_lora_appearance.{lora}.tsv"
    params:
        title=titled("train LoRA, appearance"),
        version=STAGE_VERSIONS["train_lora"],
        model=DENOISER,
        models=MODEL_FILES.of("model.name", only=OF_DENOISERS) | OF_FILES,
        training=stage_2_settings,
        own=lambda wildcards: dict(
            num_steps=appearance_steps(wildcards),
            references_share=1 - SETTINGS.training.appearance_source_share,
            reference_draws=SETTINGS.training.reference_draws,
        ),
