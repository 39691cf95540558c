# Measure videos that other tools made as ours are measured: what they are, the settings and the clips folder say.
# In: outside/METHOD.mp4 beside an edit, or what outside_methods names. Out: the method's edited.mp4 and .mkv, brought to
# the clip's size, time and length; metrics.json, and a difference video for people.
OUTSIDE_METHOD = rf"{OUTSIDE}[A-Za-z0-9_-]+"


rule align_outside:
    input:
        outside=lambda wildcards: outside_of(wildcards).path,
        source="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
    output:
        video=shown("<results>/{clip}/{edit}/{method}/edited.mp4", "edited video"),
        lossless=(
            "<results>/{clip}/{edit}/{method}/edited.mkv"
            if SETTINGS.video.keep_lossless
            else temp("<results>/{clip}/{edit}/{method}/edited.mkv")
        ),
        provenance="<results>/{clip}/{edit}/{method}/edited.json",
    log:
        "<logs>/{clip}/{edit}/{method}/align_outside.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/{method}/align_outside.tsv"
    wildcard_constraints:
        method=OUTSIDE_METHOD,
    conda:
        "../../envs/prepare.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
    params:
        title=titled("align outside"),
        version=STAGE_VERSIONS["align_outside"],
        video=SETTINGS.video.only("crf"),
        own=lambda wildcards: {key: getattr(outside_of(wildcards), key) for key in ("frames", "notes", "changed")},
    message:
        "{params.title}"
    script:
        "../scripts/align_outside.py"


use rule evaluate as evaluate_outside with:
    input:
        edited="<results>/{clip}/{edit}/{method}/edited.mkv",
        source="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
        first_frame="<results>/{clip}/{edit}/first_frame.png",
        mask="<results>/{clip}/{edit}/edit_mask.mkv",
        mask_facts="<results>/{clip}/{edit}/edit_mask.json",
        round_trip="<results>/{clip}/measures/vae_round_trip.mkv",
        embeddings="<results>/{clip}/measures/embeddings.safetensors",
        motion="<results>/{clip}/measures/motion.mkv",
    log:
        "<logs>/{clip}/{edit}/{method}/evaluate_outside.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/{method}/evaluate_outside.tsv"
    wildcard_constraints:
        method=OUTSIDE_METHOD,
    params:
        title=titled("evaluate outside"),
        own=lambda wildcards: dict(windows=[], frames=outside_of(wildcards).frames),
