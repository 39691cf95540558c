# Further scores of edited videos, ours and other tools': each where the section `scores` names its weights, and apart
# from all others, so that one more measures a finished batch without making anything anew.
# In: edited.mkv; for scores of the background what it is compared with, for those of the prompt a caption.
# Out: scores/SCORE.json.
from lib.config.score_sections import BACKGROUND_SCORES, PROMPT_SCORES, ScoreName

WEIGHTS = SETTINGS.scores.only("deqa", "lpips", "dists", "text_alignment", "pick_score", "clip_iqa", "dino")
SCORES = [score for score, weights in WEIGHTS.items() if weights]


def scores_of(videos):
    """The files of all further scores of edited videos."""
    return [f"{SETTINGS.results}/{'/'.join(names)}/scores/{score}.json" for names in videos for score in SCORES]


def for_background(path):
    """A file of the clip or edit that scores of the background need."""
    return lambda wildcards: (
        f"{SETTINGS.results}/{path.format(**wildcards)}" if wildcards.score in BACKGROUND_SCORES else []
    )


rule score:
    input:
        edited="<results>/{clip}/{edit}/{method}/edited.mkv",
        source=for_background("{clip}/source_video.mkv"),
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
