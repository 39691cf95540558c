# Run the VAE, text and image encoders once.
# In: source_video.mkv, masks, captions, aligned edited frames. Out: encoded/MASK.safetensors of the clip and of the edit.
ENCODERS = SETTINGS.model.only("name", "family", "dtype", "device", "download", "memory")


rule encode_source:
    input:
        video="<results>/{clip}/source_video.mkv",
        caption="<results>/{clip}/caption.json",
        masks=of_all_edits(LAYOUT.mask),
        mask_facts=of_all_edits(LAYOUT.mask_facts),
    output:
        encoded="<results>/{clip}/encoded/{mask}.safetensors",
        provenance="<results>/{clip}/encoded/{mask}.json",
    log:
        "<logs>/{clip}/encode_source.{mask}.log",
    benchmark:
        "<benchmarks>/{clip}/encode_source.{mask}.tsv"
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("encode source"),
        version=STAGE_VERSIONS["encode"],
        model=ENCODERS,
        models=MODEL_FILES.of("model.name", leave_out=[*DENOISERS, "scheduler"]),
        training=SETTINGS.training.only("recoloured_copies"),
        caption=SETTINGS.caption.only("trigger_word"),
        own=lambda wildcards: dict(windows=windows_of(wildcards), mask_kind=wildcards.mask),
    message:
        "{params.title}"
    script:
        "../scripts/encode_source.py"


use rule encode_source as encode_source_own with:
    input:
        video="<results>/{clip}/source_video.mkv",
        caption="<results>/{clip}/caption.json",
        masks=of_clip_and_edit(lambda clip, edit, wildcards: [LAYOUT.mask(clip, edit, wildcards.mask)]),
        mask_facts=of_clip_and_edit(lambda clip, edit, wildcards: [LAYOUT.mask_facts(clip, edit, wildcards.mask)]),
    output:
        encoded="<results>/{clip}/{edit}/encoded/source_{mask}.safetensors",
        provenance="<results>/{clip}/{edit}/encoded/source_{mask}.json",
    log:
        "<logs>/{clip}/{edit}/encode_source_own.{mask}.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/encode_source_own.{mask}.tsv"


rule encode_edit:
    input:
        video="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
        first_frame="<results>/{clip}/{edit}/first_frame.png",
        references="<results>/{clip}/{edit}/references",
        caption=lambda wildcards: (
            [] if edit_of(wildcards).prompt else f"{LAYOUT.folder(wildcards.clip, wildcards.edit)}/caption.json"
        ),
        reference_captions=reference_captions_of,
        mask=of_clip_and_edit(lambda clip, edit, wildcards: LAYOUT.mask(clip, edit, wildcards.mask)),
        mask_facts=of_clip_and_edit(lambda clip, edit, wildcards: LAYOUT.mask_facts(clip, edit, wildcards.mask)),
    output:
        encoded="<results>/{clip}/{edit}/encoded/{mask}.safetensors",
        provenance="<results>/{clip}/{edit}/encoded/{mask}.json",
    log:
        "<logs>/{clip}/{edit}/encode_edit.{mask}.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/encode_edit.{mask}.tsv"
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("encode edit"),
        version=STAGE_VERSIONS["encode"],
        model=ENCODERS,
        models=MODEL_FILES.of("model.name", leave_out=[*DENOISERS, "scheduler"]),
        mask=SETTINGS.mask.only("correct_edited"),
        sampling=lambda wildcards: {**steered_from(wildcards), **SETTINGS.sampling.only("image_context")},
        caption=SETTINGS.caption.only("trigger_word"),
        own=lambda wildcards: dict(
            mask_kind=wildcards.mask,
            reference_sample=SETTINGS.training.reference_sample if edit_of(wildcards).references else None,
            reference_context=SETTINGS.training.reference_context if edit_of(wildcards).references else None,
            window=windows_of(wildcards)[0][1],
            own_prompt=edit_of(wildcards).prompt,
        ),
    message:
        "{params.title}"
    script:
        "../scripts/encode_edit.py"
