# Fine-tune a LoRA on one clip; where an edit has references, continue it on them.
# In: encoded/MASK.safetensors. Out: lora/MASK/decouple.safetensors of the clip, appearance.safetensors of the edit.

TRAINING = settings_of(
    "model.name",
    "model.family",
    "model.dtype",
    "model.weights",
    "training.rank",
    "training.alpha",
    "training.layers",
    "training.decay_share",
    "training.beta1",
    "training.beta2",
    "training.weight_decay",
    "training.gradient_clip",
    "training.sigma_shift",
    "training.region_weight",
    "training.seed",
)
TRAINING["recoloured_share"] = SETTINGS.training.recoloured_share if SETTINGS.training.recoloured_copies else 0.0


rule train_lora_decouple:
    input:
        source="<results>/{clip}/encoded/{mask}.safetensors",
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
        stage="decouple",
        settings={
            **TRAINING,
            "learning_rate": SETTINGS.training.learning_rate,
        },
        # A longer clip has more to learn: as many steps for each of its windows.
        num_steps=lambda wildcards: SETTINGS.training.decouple_steps * len(windows_of(wildcards)),
        machine=settings_of("model.device", "model.download", "model.memory"),
        version=STAGE_VERSIONS["train_lora"],
    message:
        "train LoRA, decouple: {wildcards.clip}, {wildcards.mask}"
    script:
        "../scripts/train_lora.py"


use rule train_lora_decouple as train_lora_decouple_own with:
    input:
        source="<results>/{clip}/{edit}/encoded/source_{mask}.safetensors",
    output:
        lora="<results>/{clip}/{edit}/lora/own_{mask}/decouple.safetensors",
        curve="<results>/{clip}/{edit}/lora/own_{mask}/decouple.jsonl",
        provenance="<results>/{clip}/{edit}/lora/own_{mask}/decouple.json",
    log:
        "<logs>/{clip}/{edit}/train_lora_decouple_own.{mask}.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/train_lora_decouple_own.{mask}.tsv"
    message:
        "train LoRA, decouple: {wildcards.clip}, {wildcards.edit} alone, {wildcards.mask}"


use rule train_lora_decouple as train_lora_appearance with:
    input:
        source=source_of_lora,
        edit=lambda wildcards: (
            f"{SETTINGS.results}/{wildcards.clip}/{wildcards.edit}/encoded/"
            f"{wildcards.lora.removeprefix('own_')}.safetensors"
        ),
        lora=lambda wildcards: stage_1_lora(wildcards.clip, wildcards.edit, wildcards.lora),
    output:
        lora="<results>/{clip}/{edit}/lora/{lora}/appearance.safetensors",
        curve="<results>/{clip}/{edit}/lora/{lora}/appearance.jsonl",
        provenance="<results>/{clip}/{edit}/lora/{lora}/appearance.json",
    log:
        "<logs>/{clip}/{edit}/train_lora_appearance.{lora}.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/train_lora_appearance.{lora}.tsv"
    params:
        stage="appearance",
        settings={
            **TRAINING,
            "learning_rate": SETTINGS.training.appearance_learning_rate or SETTINGS.training.learning_rate,
            "references_share": 1 - SETTINGS.training.appearance_source_share,
            "training.reference_draws": SETTINGS.training.reference_draws,
        },
        num_steps=lambda wildcards: SETTINGS.training.appearance_steps
        + SETTINGS.training.appearance_steps_per_reference * (len(edit_of(wildcards).references) - 1),
        machine=settings_of("model.device", "model.download", "model.memory"),
        version=STAGE_VERSIONS["train_lora"],
    message:
        "train LoRA, appearance: {wildcards.clip}, {wildcards.edit}, {wildcards.lora}"
