# Edit the first frame of a clip as an instruction says, where an edit is given in words.
# In: the source video, its facts, and the user's mask of that frame, if any. Out: made_first_frame.png, as a user would
# give it; made_first_frames/, all tries; made_first_frame.json, what is known of them.


rule edit_first_frame:
    input:
        source=lambda wildcards: clip_of(wildcards).source,
        facts="<results>/{clip}/source_video.json",
        masks=lambda wildcards: [path for _, path in first_masks_of(wildcards)],
    output:
        first_frame="<results>/{clip}/{edit}/made_first_frame.png",
        tries=directory("<results>/{clip}/{edit}/made_first_frames"),
        facts="<results>/{clip}/{edit}/made_first_frame.json",
    log:
        "<logs>/{clip}/{edit}/edit_first_frame.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/edit_first_frame.tsv"
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("edit first frame"),
        version=STAGE_VERSIONS["edit_first_frame"],
        editor=SETTINGS.editor.only(
            "model",
            "num_steps",
            "guidance",
            "image_guidance",
            "megapixels",
            "num_tries",
            "clip_model",
            "seed",
        ),
        models=MODEL_FILES.of("editor.model", "editor.clip_model"),
        model=SETTINGS.model.only("dtype", "device", "memory", "download"),
        mask=SETTINGS.mask.only("difference_threshold", "global_share", "correct_edited"),
        own=lambda wildcards: dict(
            instruction=edit_of(wildcards).instruction,
            mask_indices=[index for index, _ in first_masks_of(wildcards) if index is not None],
            is_part=edit_of(wildcards).classes is not None,
            clip=name_of(BATCH.names, wildcards.clip),
            edit=name_of(BATCH.names, wildcards.clip, wildcards.edit),
        ),
    message:
        "{params.title}"
    script:
        "../scripts/edit_first_frame.py"
