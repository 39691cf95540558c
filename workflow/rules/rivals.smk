# Edit as others do, from what our methods are given: with models or methods of theirs; nothing is trained.
# In: the clip, the edited first frame, its mask, and a caption unless the user wrote a prompt. Out: as `generate`.


rule generate_vace:
    input:
        first_frame="<results>/{clip}/{edit}/first_frame.png",
        mask=of_clip_and_edit(lambda clip, edit, wildcards: LAYOUT.mask(clip, edit, mask_name_of(wildcards))),
        mask_facts=of_clip_and_edit(
            lambda clip, edit, wildcards: LAYOUT.mask_facts(clip, edit, mask_name_of(wildcards))
        ),
        video="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
        caption=lambda wildcards: (
            [] if edit_of(wildcards).prompt else f"{LAYOUT.folder(wildcards.clip, wildcards.edit)}/caption.json"
        ),
    output:
        video=shown("<results>/{clip}/{edit}/{method}/edited.mp4", "edited video"),
        lossless=(
            "<results>/{clip}/{edit}/{method}/edited.mkv"
            if SETTINGS.video.keep_lossless
            else temp("<results>/{clip}/{edit}/{method}/edited.mkv")
        ),
        provenance="<results>/{clip}/{edit}/{method}/edited.json",
    log:
        "<logs>/{clip}/{edit}/{method}/generate_vace.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/{method}/generate_vace.tsv"
    wildcard_constraints:
        method="|".join(OF_VACE) or NONE,
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("generate vace"),
        version=STAGE_VERSIONS["generate_vace"],
        vace=SETTINGS.vace.only(
            "name",
            "first_frame",
            "num_steps",
            "guidance",
            "shift",
            "conditioning_scale",
        ),
        models=MODEL_FILES.of("vace.name"),
        model=SETTINGS.model.only("dtype", "device", "memory", "download"),
        mask=SETTINGS.mask.only("correct_edited"),
        video=SETTINGS.video.only("crf"),
        sampling=lambda wildcards: {
            "seed": sampling_of(wildcards)["seed"],
            **steered_from(wildcards),
        },
        own=lambda wildcards: dict(windows=windows_of(wildcards), prompt=edit_of(wildcards).prompt),
    message:
        "{params.title}"
    script:
        "../scripts/generate_vace.py"


rule generate_contextflow:
    input:
        first_frame="<results>/{clip}/{edit}/first_frame.png",
        mask=of_clip_and_edit(lambda clip, edit, wildcards: LAYOUT.mask(clip, edit, mask_name_of(wildcards))),
        mask_facts=of_clip_and_edit(
            lambda clip, edit, wildcards: LAYOUT.mask_facts(clip, edit, mask_name_of(wildcards))
        ),
        video="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
        caption=lambda wildcards: (
            [] if edit_of(wildcards).prompt else f"{LAYOUT.folder(wildcards.clip, wildcards.edit)}/caption.json"
        ),
    output:
        video=shown("<results>/{clip}/{edit}/{method}/edited.mp4", "edited video"),
        lossless=(
            "<results>/{clip}/{edit}/{method}/edited.mkv"
            if SETTINGS.video.keep_lossless
            else temp("<results>/{clip}/{edit}/{method}/edited.mkv")
        ),
        provenance="<results>/{clip}/{edit}/{method}/edited.json",
    log:
        "<logs>/{clip}/{edit}/{method}/generate_contextflow.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/{method}/generate_contextflow.tsv"
    wildcard_constraints:
        method="|".join(OF_CONTEXTFLOW) or NONE,
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("generate contextflow"),
        version=STAGE_VERSIONS["generate_contextflow"],
        contextflow=SETTINGS.contextflow.only("num_steps", "guidance", "shift", "blocks", "shared_steps"),
        models=MODEL_FILES.of("model.name") | OF_FILES,
        model=SETTINGS.model.only("name", "family", "dtype", "weights", "device", "download", "memory") | FROM_FILES,
        mask=SETTINGS.mask.only("correct_edited"),
        video=SETTINGS.video.only("crf"),
        sampling=steered_from,
        own=lambda wildcards: dict(windows=windows_of(wildcards), prompt=edit_of(wildcards).prompt),
    message:
        "{params.title}"
    script:
        "../scripts/generate_contextflow.py"
