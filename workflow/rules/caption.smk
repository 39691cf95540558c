# Describe frame 0 of a source, once, and of each edit in words; where the settings ask for it its references too.
# In: source_video.mkv, first_frame.png, references. Out: caption.json of the clip and of the edit, each with caption and
# prompt; reference_captions.json.
CAPTION = SETTINGS.caption.only("model", "task", "num_beams", "max_new_tokens", "trigger_word")


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
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("caption source"),
        version=STAGE_VERSIONS["caption"],
        caption=CAPTION,
        model=SETTINGS.model.only("device", "download"),
        models=MODEL_FILES.of("caption.model"),
    message:
        "{params.title}"
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
        title=titled("caption edit"),
        version=STAGE_VERSIONS["caption"],
        caption=CAPTION,
        model=SETTINGS.model.only("device", "download"),
        models=MODEL_FILES.of("caption.model"),


rule caption_references:
    input:
        references="<results>/{clip}/{edit}/references",
    output:
        captions="<results>/{clip}/{edit}/reference_captions.json",
    log:
        "<logs>/{clip}/{edit}/caption_references.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/caption_references.tsv"
    conda:
        "../../envs/caption.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("caption references"),
        version=STAGE_VERSIONS["caption"],
        caption=CAPTION,
        model=SETTINGS.model.only("device", "download"),
        models=MODEL_FILES.of("caption.model"),
    message:
        "{params.title}"
    script:
        "../scripts/caption_references.py"
