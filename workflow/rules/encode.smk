# Run the VAE, text and image encoders once.
# In: source_video.mkv, masks, captions, aligned edited frames. Out: encoded/MASK.safetensors of the clip and of the edit.


rule encode_source:
    input:
        video="<results>/{clip}/source_video.mkv",
        captions=captions_of_clip,
        masks=masks_of_clip,
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
        settings=settings_of("model.name", "model.family", "model.dtype", "training.recoloured_copies"),
        windows=windows_of,
        trigger_word=SETTINGS.caption.trigger_word,
        machine=settings_of("model.device", "model.download", "model.memory"),
        version=STAGE_VERSIONS["encode"],
    message:
        "encode source: {wildcards.clip}, {wildcards.mask}"
    script:
        "../scripts/encode_source.py"


use rule encode_source as encode_source_own with:
    input:
        video="<results>/{clip}/source_video.mkv",
        captions=captions_of_clip,
        masks=lambda wildcards: [mask_of_edit(wildcards)],
    output:
        encoded="<results>/{clip}/{edit}/encoded/source_{mask}.safetensors",
        provenance="<results>/{clip}/{edit}/encoded/source_{mask}.json",
    log:
        "<logs>/{clip}/{edit}/encode_source_own.{mask}.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/encode_source_own.{mask}.tsv"
    message:
        "encode source: {wildcards.clip}, {wildcards.edit} alone, {wildcards.mask}"


rule encode_edit:
    input:
        video="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
        first_frame="<results>/{clip}/{edit}/first_frame.png",
        references="<results>/{clip}/{edit}/references",
        captions="<results>/{clip}/{edit}/caption.json",
        mask=mask_of_edit,
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
        settings=settings_of(
            "model.name",
            "model.family",
            "model.dtype",
            "mask.correct_edited",
            "sampling.negative_prompt",
            "sampling.image_context",
        ),
        window=lambda wildcards: windows_of(wildcards)[0][1],
        reference_sample=lambda wildcards: SETTINGS.training.reference_sample if edit_of(wildcards).references else None,
        own_prompt=lambda wildcards: edit_of(wildcards).prompt,
        trigger_word=SETTINGS.caption.trigger_word,
        machine=settings_of("model.device", "model.download", "model.memory"),
        version=STAGE_VERSIONS["encode"],
    message:
        "encode edit: {wildcards.clip}, {wildcards.edit}, {wildcards.mask}"
    script:
        "../scripts/encode_edit.py"
