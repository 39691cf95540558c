"""Measure one further score of an edited video, apart from all others."""

from pathlib import Path
from typing import Any

from lib.config.score_sections import BACKGROUND_SCORES, ScoreName
from lib.config.sections import MetricsSection, ModelSection
from lib.core.files import read_json, write_json
from lib.core.provenance import describe
from lib.execution.devices import describe_device, prepare_torch
from lib.inputs.checkpoints import resolve_path
from lib.metrics.background import dilate_mask
from lib.metrics.per_frame import PerFrame, mean_score
from lib.scores.contrastive import clip_iqa, dino_consistency, load_clip_pair, pick_score, text_alignment
from lib.scores.deqa.scorer import load_deqa, score_frames
from lib.scores.judge import judge_video, load_judge
from lib.scores.perceptual import distances, load_network
from lib.stages.job import Files, Job, Params
from lib.video.reading import read_mask, read_video


class Inputs(Files):
    """The edited video; for scores of its background, what it is compared with; for scores of its prompt, a caption.

    round_trip: the source through the VAE, which no method can be nearer to than the model's own VAE is.
    """

    edited: Path
    source: Path | None = None
    mask: Path | None = None
    round_trip: Path | None = None
    caption: Path | None = None


class Outputs(Files):
    """The score of each frame, and its mean; the same of a control row where there is one."""

    score: Path


class Score(Params):
    """Which score, by which weights.

    model: device, dtype, memory and download; metrics: background_dilation.
    score: its name. weights: a folder, file or hub id. prompt: the user's own.
    """

    model: ModelSection
    metrics: MetricsSection
    score: ScoreName
    weights: str
    prompt: str | None = None


def score(inputs: Inputs, outputs: Outputs, params: Score, job: Job) -> None:
    """Write one score of an edited video."""
    rows: dict[str, Any]
    if params.score == "judge":
        rows = {"edited": {"mean": _ask_judge(inputs, params, job), "per_frame": {}}}
    else:
        is_background = params.score in BACKGROUND_SCORES
        measured = _of_background(inputs, params, job) if is_background else {"edited": _of_frames(inputs, params, job)}
        rows = {
            row: {"mean": {params.score: mean_score(values)}, "per_frame": {params.score: values}}
            for row, values in measured.items()
        }
    given = [path for path in (inputs.edited, inputs.source, inputs.mask, inputs.caption) if path]
    device, _ = prepare_torch(params.model.device, params.model.dtype, job.num_threads)
    provenance = describe("score", params.described(), given, [], describe_device(device))
    write_json(outputs.score, {"rows": rows, "provenance": provenance})


def _of_background(inputs: Inputs, params: Score, job: Job) -> dict[str, PerFrame]:
    """Compare the edited video, and the VAE's round trip, with the source outside the mask."""
    assert inputs.source and inputs.mask and inputs.round_trip
    assert params.score in ("lpips", "dists")
    device, _ = prepare_torch(params.model.device, "float32", job.num_threads)
    network = load_network(params.score, Path(resolve_path(params.weights)), device)
    source, edited = read_video(inputs.source), read_mask(inputs.mask)
    edited = dilate_mask(edited, params.metrics.background_dilation)
    rows = {"edited": inputs.edited, "vae_round_trip": inputs.round_trip}
    return {row: distances(network, read_video(path), source, edited) for row, path in rows.items()}


def _ask_judge(inputs: Inputs, params: Score, job: Job) -> dict[str, float]:
    """Ask a vision-language model about the whole video."""
    assert inputs.source
    device, dtype = prepare_torch(params.model.device, params.model.dtype, job.num_threads)
    judge = load_judge(resolve_path(params.weights), device, dtype, params.model.download)
    return judge_video(judge, read_video(inputs.edited), read_video(inputs.source))


def _of_frames(inputs: Inputs, params: Score, job: Job) -> PerFrame:
    """Score the edited video by itself, or beside its prompt."""
    device, dtype = prepare_torch(params.model.device, params.model.dtype, job.num_threads)
    video, weights = read_video(inputs.edited), resolve_path(params.weights)
    if params.score == "deqa":
        return score_frames(load_deqa(Path(weights), device, dtype, params.model.memory), video)
    if params.score == "dino":
        return dino_consistency(video, weights, device, params.model.download)
    clip = load_clip_pair(weights, device, params.model.download)
    if params.score == "clip_iqa":
        return clip_iqa(video, clip)
    prompt = params.prompt
    if prompt is None:
        assert inputs.caption, "without a prompt of the user's the rule gives a caption"
        prompt = str(read_json(inputs.caption)["caption"])
    return (text_alignment if params.score == "text_alignment" else pick_score)(video, prompt, clip)
