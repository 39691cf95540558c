# Further scores of edited videos, ours and other tools': each where the section `scores` names its weights, and apart
# from all others, so that one more measures a finished batch without making anything anew.
# In: edited.mkv; for scores of the background what it is compared with, for those of the prompt a caption.
# Out: scores/SCORE.json.


rule score:
    input:
        edited="<results>/{clip}/{edit}/{method}/edited.mkv",
        source=lambda wildcards: (
            f"{LAYOUT.folder(wildcards.clip)}/source_video.mkv" if wildcards.score in SOURCE_SCORES else []
        ),
        mask=for_background("{clip}/{edit}/edit_mask.mkv"),
        round_trip=for_background("{clip}/measures/vae_round_trip.mkv"),
        caption=lambda wildcards: (
            f"{LAYOUT.folder(wildcards.clip, wildcards.edit)}/caption.json"
            if wildcards.score in PROMPT_SCORES and not edit_of(wildcards).prompt
            else []
        ),
    output:
        score="<results>/{clip}/{edit}/{method}/scores/{score}.json",
    log:
        "<logs>/{clip}/{edit}/{method}/score.{score}.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/{method}/score.{score}.tsv"
    wildcard_constraints:
        method=rf"({OUTSIDE})?[A-Za-z0-9_-]+",
        score="|".join(get_args(ScoreName)),
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("score"),
        version=STAGE_VERSIONS["score"],
        metrics=lambda wildcards: (
            SETTINGS.metrics.only("background_dilation") if wildcards.score in BACKGROUND_SCORES else {}
        ),
        model=SETTINGS.model.only("dtype", "device", "memory", "download"),
        models=lambda wildcards: MODEL_FILES.of(f"scores.{wildcards.score}"),
        own=lambda wildcards: dict(
            score=wildcards.score,
            weights=WEIGHTS[wildcards.score],
            prompt=edit_of(wildcards).prompt if wildcards.score in PROMPT_SCORES else None,
        ),
    message:
        "{params.title}"
    script:
        "../scripts/score.py"
