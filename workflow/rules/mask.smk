# Find what an edit changes and follow it through the clip as loose boxes.
# In: source_video.mkv, aligned edited frames, the user's masks if any. Out: edit_mask.mkv, .json, an overlay video and a sheet.


rule segment_masks:
    input:
        video="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
        first_frame="<results>/{clip}/{edit}/first_frame.png",
        references="<results>/{clip}/{edit}/references",
        masks=lambda wildcards: user_masks(edit_of(wildcards)),
    output:
        mask="<results>/{clip}/{edit}/edit_mask.mkv",
        facts="<results>/{clip}/{edit}/edit_mask.json",
        overlay="<results>/{clip}/{edit}/edit_mask_overlay.mp4",
        sheet="<results>/{clip}/{edit}/edit_mask.png",
    log:
        "<logs>/{clip}/{edit}/segment_masks.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/segment_masks.tsv"
    conda:
        "../../envs/mask.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        settings=settings_of(
            "mask.methods",
            "mask.detector",
            "mask.confidence",
            "mask.yoloe",
            "mask.sam2",
            "mask.margin",
            "mask.min_margin",
            "mask.smoothing",
            "mask.difference_threshold",
            "mask.global_share",
            "mask.min_confidence",
            "mask.below_confidence",
        ),
        shape=lambda wildcards: wildcards.get("shape", SETTINGS.mask.shape),
        classes=lambda wildcards: edit_of(wildcards).classes or SETTINGS.mask.classes,
        mask_indices=lambda wildcards: [index for index, _ in edit_of(wildcards).masks],
        frame_stride=FAMILY_LIMITS[SETTINGS.model.family][0],
        device=SETTINGS.model.device,
        crf=SETTINGS.video.crf,
        version=STAGE_VERSIONS["segment_masks"],
    message:
        "segment masks: {wildcards.clip}, {wildcards.edit}"
    script:
        "../scripts/segment_masks.py"


use rule segment_masks as segment_masks_shape with:
    output:
        mask="<results>/{clip}/{edit}/masks/{shape}.mkv",
        facts="<results>/{clip}/{edit}/masks/{shape}.json",
        overlay="<results>/{clip}/{edit}/masks/{shape}_overlay.mp4",
        sheet="<results>/{clip}/{edit}/masks/{shape}.png",
    log:
        "<logs>/{clip}/{edit}/segment_masks_shape.{shape}.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/segment_masks_shape.{shape}.tsv"
    message:
        "segment masks: {wildcards.clip}, {wildcards.edit}, {wildcards.shape}"
