# Measure the edited video against the source and the edited first frame, beside two control rows.
# In: edited.mkv, source_video.mkv, first_frame.png, edit_mask.mkv. Out: metrics.json, and a difference video for people;
# of the clip, once, measures/, what its edits are all compared with.
VAE = SETTINGS.model.only("name", "family", "device", "download")


rule measure_source:
    input:
        video="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
    output:
        round_trip="<results>/{clip}/measures/vae_round_trip.mkv",
        embeddings="<results>/{clip}/measures/embeddings.safetensors",
        motion="<results>/{clip}/measures/motion.mkv",
    log:
        "<logs>/{clip}/measure_source.log",
    benchmark:
        "<benchmarks>/{clip}/measure_source.tsv"
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("measure source"),
        version=STAGE_VERSIONS["measure_source"],
        model=VAE,
        models=MODEL_FILES.of("model.name", only=["vae"]) | MODEL_FILES.of("metrics.clip_model"),
        metrics=SETTINGS.metrics.only("clip_model"),
    message:
        "{params.title}"
    script:
        "../scripts/measure_source.py"


rule evaluate:
    input:
        edited="<results>/{clip}/{edit}/{method}/edited.mkv",
        source="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
        first_frame="<results>/{clip}/{edit}/first_frame.png",
        mask="<results>/{clip}/{edit}/edit_mask.mkv",
        round_trip="<results>/{clip}/measures/vae_round_trip.mkv",
        embeddings="<results>/{clip}/measures/embeddings.safetensors",
        motion="<results>/{clip}/measures/motion.mkv",
    output:
        metrics="<results>/{clip}/{edit}/{method}/metrics.json",
        difference=shown("<results>/{clip}/{edit}/{method}/difference.mp4", "difference video"),
    log:
        "<logs>/{clip}/{edit}/{method}/evaluate.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/{method}/evaluate.tsv"
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("evaluate"),
        version=STAGE_VERSIONS["evaluate"],
        metrics=SETTINGS.metrics.only("clip_model", "background_dilation"),
        mask=SETTINGS.mask.only("correct_edited"),
        video=SETTINGS.video.only("crf"),
        model=VAE,
        models=MODEL_FILES.of("model.name", only=["vae"]) | MODEL_FILES.of("metrics.clip_model"),
        own=lambda wildcards: dict(windows=windows_of(wildcards)),
    message:
        "{params.title}"
    script:
        "../scripts/evaluate.py"
