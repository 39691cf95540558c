# Bring every picture of a clip to the model's size, without loss.
# In: the source video, edited frames. Out: source_video.mkv and .json; first_frame.png, references/.


rule extract_frames:
    input:
        source=lambda wildcards: clip_of(wildcards).source,
    output:
        video="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
        preview=shown("<results>/{clip}/source_preview.mp4", "source preview"),
    log:
        "<logs>/{clip}/extract_frames.log",
    benchmark:
        "<benchmarks>/{clip}/extract_frames.tsv"
    conda:
        "../../envs/prepare.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
    params:
        title=titled("extract frames"),
        version=STAGE_VERSIONS["extract_frames"],
        video=SETTINGS.video.only("width", "height", "start", "stride", "crf"),
        own=lambda wildcards: dict(num_frames=len(clip_of(wildcards).indices)),
    message:
        "{params.title}"
    script:
        "../scripts/extract_frames.py"


rule align_edit:
    input:
        facts="<results>/{clip}/source_video.json",
        first_frame=first_frame_of,
        references=references_of,
    output:
        first_frame="<results>/{clip}/{edit}/first_frame.png",
        references=directory("<results>/{clip}/{edit}/references"),
    log:
        "<logs>/{clip}/{edit}/align_edit.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/align_edit.tsv"
    conda:
        "../../envs/prepare.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
    params:
        title=titled("align edit"),
        version=STAGE_VERSIONS["align_edit"],
        own=lambda wildcards: dict(indices=[index for index, _ in edit_of(wildcards).references]),
    message:
        "{params.title}"
    script:
        "../scripts/align_edit.py"
