# Describe frame 0 of the source and of each edit in words.
# In: source_video.mkv, first_frame.png. Out: caption.json, the caption and the prompt made of it.


rule caption_source:
    input:
        picture="<results>/{clip}/source_video.mkv",
    output:
        caption="<results>/{clip}/caption.json",
    log:
        "<logs>/{clip}/caption_source.log",
    benchmark:
        "<benchmarks>/{clip}/caption_source.tsv"
    conda:
        "../../envs/caption.yaml"
    threads: 1
    resources:
        gpu=NUM_GPUS,
    params:
        settings=settings_of(
            "caption.model",
            "caption.task",
            "caption.num_beams",
            "caption.max_new_tokens",
        ),
        trigger_word=SETTINGS.caption.trigger_word,
        prompt=None,
        machine=settings_of("model.device", "model.download"),
        version=STAGE_VERSIONS["caption"],
    message:
        "caption: {wildcards.clip}"
    script:
        "../scripts/caption.py"


use rule caption_source as caption_edit with:
    input:
        picture="<results>/{clip}/{edit}/first_frame.png",
    output:
        caption="<results>/{clip}/{edit}/caption.json",
    log:
        "<logs>/{clip}/{edit}/caption_edit.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/caption_edit.tsv"
    params:
        settings=settings_of(
            "caption.model",
            "caption.task",
            "caption.num_beams",
            "caption.max_new_tokens",
        ),
        trigger_word=SETTINGS.caption.trigger_word,
        prompt=lambda wildcards: edit_of(wildcards).prompt,
        machine=settings_of("model.device", "model.download"),
        version=STAGE_VERSIONS["caption"],
    message:
        "caption: {wildcards.clip}, {wildcards.edit}"
