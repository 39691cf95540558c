# Fine-tune a LoRA on one clip; where an edit has references, continue it on them.
# In: encoded/MASK.safetensors. Out: lora/MASK/decouple.safetensors of the clip, appearance.safetensors of the edit.

TRAINING = settings_of(
    "model.name",
    "model.family",
    "model.dtype",
    "training.rank",
    "training.alpha",
    "training.feed_forward",
    "training.decay_share",
    "training.beta1",
    "training.beta2",
    "training.weight_decay",
    "training.gradient_clip",
    "training.sigma_shift",
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
        gpu=NUM_GPUS,
    params:
        stage="decouple",
        settings={
            **TRAINING,
            "num_steps": SETTINGS.training.decouple_steps,
            "learning_rate": SETTINGS.training.learning_rate,
        },
        machine=settings_of("model.device", "model.download", "model.gradient_checkpointing"),
        version=STAGE_VERSIONS["train_lora"],
    message:
        "train LoRA, decouple: {wildcards.clip}, {wildcards.mask}"
    script:
        "../scripts/train_lora.py"


use rule train_lora_decouple as train_lora_appearance with:
    input:
        source="<results>/{clip}/encoded/{mask}.safetensors",
        edit="<results>/{clip}/{edit}/encoded/{mask}.safetensors",
        lora="<results>/{clip}/lora/{mask}/decouple.safetensors",
    output:
        lora="<results>/{clip}/{edit}/lora/{mask}/appearance.safetensors",
        curve="<results>/{clip}/{edit}/lora/{mask}/appearance.jsonl",
        provenance="<results>/{clip}/{edit}/lora/{mask}/appearance.json",
    log:
        "<logs>/{clip}/{edit}/train_lora_appearance.{mask}.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/train_lora_appearance.{mask}.tsv"
    params:
        stage="appearance",
        settings={
            **TRAINING,
            "num_steps": SETTINGS.training.appearance_steps,
            "learning_rate": SETTINGS.training.appearance_learning_rate or SETTINGS.training.learning_rate,
            "references_share": 1 - SETTINGS.training.appearance_source_share,
        },
        machine=settings_of("model.device", "model.download", "model.gradient_checkpointing"),
        version=STAGE_VERSIONS["train_lora"],
    message:
        "train LoRA, appearance: {wildcards.clip}, {wildcards.edit}, {wildcards.mask}"
