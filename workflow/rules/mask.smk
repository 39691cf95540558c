# Find what an edit changes and follow it through the clip as loose boxes.
# In: source_video.mkv, aligned edited frames, the user's masks if any. Out: objects.json of the clip; of each edit
# edit_mask.mkv, .json, an overlay video and a sheet.

DETECTION = {
    **SETTINGS.mask.only("confidence"),
    "detector": SETTINGS.mask.detector if "yolo" in SETTINGS.mask.methods else None,
}
SEGMENTATION = SETTINGS.mask.only(
    "methods",
    "confidence",
    "yoloe",
    "sam2",
    "margin",
    "min_margin",
    "object_margin",
    "object_min_margin",
    "smoothing",
    "difference_threshold",
    "global_share",
    "min_confidence",
    "below_confidence",
)


rule detect_objects:
    input:
        video="<results>/{clip}/source_video.mkv",
    output:
        objects="<results>/{clip}/objects.json",
        motion="<results>/{clip}/motion.mkv",
    log:
        "<logs>/{clip}/detect_objects.log",
    benchmark:
        "<benchmarks>/{clip}/detect_objects.tsv"
    conda:
        "../../envs/mask.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("detect objects"),
        version=STAGE_VERSIONS["detect_objects"],
        mask=DETECTION,
        model=SETTINGS.model.only("device"),
        models=MODEL_FILES.of("mask.detector") if DETECTION["detector"] else {},
    message:
        "{params.title}"
    script:
        "../scripts/detect_objects.py"


rule segment_masks:
    input:
        video="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
        first_frame="<results>/{clip}/{edit}/first_frame.png",
        references="<results>/{clip}/{edit}/references",
        masks=lambda wildcards: edit_of(wildcards).user_masks,
        objects=without_user_masks("objects.json"),
        motion=without_user_masks("motion.mkv"),
        instructed=instructed_of,
    output:
        mask="<results>/{clip}/{edit}/edit_mask.mkv",
        facts="<results>/{clip}/{edit}/edit_mask.json",
        overlay="<results>/{clip}/{edit}/edit_mask_overlay.mp4",
        sheet=shown("<results>/{clip}/{edit}/edit_mask.png", "mask sheet"),
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
        title=titled("segment masks"),
        version=STAGE_VERSIONS["segment_masks"],
        mask=lambda wildcards: {**SEGMENTATION, "shape": wildcards.get("shape", SETTINGS.mask.shape)},
        video=SETTINGS.video.only("crf"),
        model=SETTINGS.model.only("device"),
        models=MODEL_FILES.of("mask.yoloe", "mask.sam2"),
        own=lambda wildcards: dict(
            classes=edit_of(wildcards).classes or SETTINGS.mask.classes,
            mask_indices=[index for index, _ in edit_of(wildcards).masks],
            frame_stride=FRAME_STRIDE,
            clip=name_of(BATCH.names, wildcards.clip),
            edit=name_of(BATCH.names, wildcards.clip, wildcards.edit),
        ),
    message:
        "{params.title}"
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
