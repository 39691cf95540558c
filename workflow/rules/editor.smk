# Edit frames of a clip as instructions say, where an edit is given in words: the first frame, and references.
# In: the source video, its facts, and the user's mask of that frame, if any; for a reference the edited first frame.
# Out: made_first_frame.png, as a user would give it, made_first_frames/, all tries, and made_first_frame.json, what is
# known of them; the same of a reference in made_references/.
EDITOR = SETTINGS.editor.only(
    "model", "num_steps", "guidance", "image_guidance", "megapixels", "num_tries", "clip_model", "seed"
)


rule edit_first_frame:
    input:
        source=lambda wildcards: clip_of(wildcards).source,
        facts="<results>/{clip}/source_video.json",
        masks=lambda wildcards: [path for _, path in frame_masks_of(wildcards)],
    output:
        picture="<results>/{clip}/{edit}/made_first_frame.png",
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
        editor=EDITOR,
        models=MODEL_FILES.of("editor.model", "editor.clip_model"),
        model=SETTINGS.model.only("dtype", "device", "memory", "download"),
        mask=SETTINGS.mask.only("difference_threshold", "global_share", "correct_edited"),
        own=instruction_of,
    message:
        "{params.title}"
    script:
        "../scripts/edit_first_frame.py"


use rule edit_first_frame as edit_reference with:
    input:
        source=lambda wildcards: clip_of(wildcards).source,
        facts="<results>/{clip}/source_video.json",
        masks=lambda wildcards: [path for _, path in frame_masks_of(wildcards)],
        first_frame=first_frame_of,
    output:
        picture="<results>/{clip}/{edit}/made_references/{index}.png",
        tries=directory("<results>/{clip}/{edit}/made_references/{index}"),
        facts="<results>/{clip}/{edit}/made_references/{index}.json",
    log:
        "<logs>/{clip}/{edit}/edit_reference.{index}.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/edit_reference.{index}.tsv"
    wildcard_constraints:
        index="[0-9]+",
    params:
        title=titled("edit reference"),
        version=STAGE_VERSIONS["edit_first_frame"],
        editor=EDITOR,
        models=MODEL_FILES.of("editor.model", "editor.clip_model"),
        model=SETTINGS.model.only("dtype", "device", "memory", "download"),
        mask=SETTINGS.mask.only("difference_threshold", "global_share", "correct_edited"),
        own=instruction_of,
