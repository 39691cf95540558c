# Measure the edited video against the source and the edited first frame, beside two control rows.
# In: edited.mkv, source_video.mkv, first_frame.png, edit_mask.mkv. Out: metrics.json, and a difference video for people.


rule evaluate:
    input:
        edited="<results>/{clip}/{edit}/{method}/edited.mkv",
        source="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
        first_frame="<results>/{clip}/{edit}/first_frame.png",
        mask="<results>/{clip}/{edit}/edit_mask.mkv",
    output:
        metrics="<results>/{clip}/{edit}/{method}/metrics.json",
        difference="<results>/{clip}/{edit}/{method}/difference.mp4",
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
        settings=settings_of(
            "model.name",
            "model.family",
            "metrics.clip_model",
            "metrics.background_dilation",
            "mask.correct_edited",
        ),
        windows=windows_of,
        crf=SETTINGS.video.crf,
        machine=settings_of("model.device", "model.download"),
        version=STAGE_VERSIONS["evaluate"],
    message:
        "evaluate: {wildcards.clip}, {wildcards.edit}, {wildcards.method}"
    script:
        "../scripts/evaluate.py"
