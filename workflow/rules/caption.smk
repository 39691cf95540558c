# Describe frame 0 of the source and of the edit in words.
# In: source_video.mkv, first_frame.png. Out: caption.json, caption and prompt of both.


rule caption:
    input:
        source="<results>/{clip}/source_video.mkv",
        edited="<results>/{clip}/{edit}/first_frame.png",
    output:
        captions="<results>/{clip}/{edit}/caption.json",
    log:
        "<logs>/{clip}/{edit}/caption.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/caption.tsv"
    conda:
        "../../envs/caption.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        settings=settings_of("caption.model", "caption.task", "caption.num_beams", "caption.max_new_tokens"),
        trigger_word=SETTINGS.caption.trigger_word,
        machine=settings_of("model.device", "model.download"),
        version=STAGE_VERSIONS["caption"],
    message:
        "caption: {wildcards.clip}, {wildcards.edit}"
    script:
        "../scripts/caption.py"
