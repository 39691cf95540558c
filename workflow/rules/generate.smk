# Generate the edited video.
# In: the edit's encoded/MASK.safetensors and a LoRA. Out: edited.mp4 for viewing, edited.mkv without loss, edited.json.


rule generate:
    input:
        encoded=encoded_of,
        lora=lora_of,
        first_frame="<results>/{clip}/{edit}/first_frame.png",
        mask=mask_of_method,
        video="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
    output:
        video="<results>/{clip}/{edit}/{method}/edited.mp4",
        lossless=lossless("<results>/{clip}/{edit}/{method}/edited.mkv"),
        provenance="<results>/{clip}/{edit}/{method}/edited.json",
    log:
        "<logs>/{clip}/{edit}/{method}/generate.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/{method}/generate.tsv"
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        settings=settings_of(
            "model.name",
            "model.family",
            "model.dtype",
            "model.weights",
            "sampling.shift",
            "sampling.feather",
            "mask.correct_edited",
        ),
        lora_scale=lora_scale_of,
        lock_latents=of_method("lock_latents"),
        composite=of_method("composite"),
        num_steps=of_method("num_steps"),
        guidance=of_method("guidance"),
        cache_threshold=of_method("cache_threshold"),
        mask_kind=lambda wildcards: known_mask(METHODS[wildcards.method].generate_mask),
        windows=windows_of,
        seed=lambda wildcards: (SETTINGS.sampling.seed if edit_of(wildcards).seed is None else edit_of(wildcards).seed),
        crf=SETTINGS.video.crf,
        machine=settings_of("model.device", "model.download", "model.memory"),
        version=STAGE_VERSIONS["generate"],
    message:
        "generate: {wildcards.clip}, {wildcards.edit}, {wildcards.method}"
    script:
        "../scripts/generate.py"
