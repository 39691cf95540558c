"""Measure an edited video, beside the VAE round trip and the unedited copy of the source."""

from pathlib import Path

from lib.config.sections import MaskSection, MetricsSection, ModelSection, VideoSection
from lib.core.files import read_json, whole_file, write_json
from lib.core.provenance import describe
from lib.execution.devices import describe_device, prepare_torch
from lib.inputs.checkpoints import resolve_path
from lib.masks.compositing import correct_edited
from lib.metrics.background import dilate_mask
from lib.metrics.rows import describe_first_frame, describe_joins, evaluate_rows
from lib.metrics.similarity import load_clip
from lib.metrics.source import load_measures
from lib.metrics.video import difference_video
from lib.stages.job import Files, Job, Params
from lib.video.probing import VideoInfo
from lib.video.reading import read_first_frame, read_mask, read_video
from lib.video.writing import write_viewable


class Inputs(Files):
    """The edited video, what it was made from, and the measures of its source."""

    edited: Path
    source: Path
    facts: Path
    first_frame: Path
    mask: Path
    round_trip: Path
    embeddings: Path
    motion: Path


class Outputs(Files):
    """The metrics as JSON, and a video for people of where edited and source differ."""

    metrics: Path
    difference: Path


class Evaluate(Params):
    """How the video is measured.

    metrics: the whole section; mask: correct_edited; video: crf; windows: of the clip.
    model: device and download; name and family too, since the round trip is of this model's VAE.
    """

    metrics: MetricsSection
    mask: MaskSection
    video: VideoSection
    model: ModelSection
    windows: list[tuple[int, int]]


def evaluate(inputs: Inputs, outputs: Outputs, params: Evaluate, job: Job) -> None:
    """Write the metrics of an edited video."""
    device, _ = prepare_torch(params.model.device, "float32", job.num_threads)
    edited, source, facts = read_video(inputs.edited), read_video(inputs.source), read_json(inputs.facts)
    first_frame, mask = read_first_frame(inputs.first_frame), read_mask(inputs.mask)
    rows = evaluate_rows(
        edited,
        source,
        read_video(inputs.round_trip),
        first_frame,
        mask,
        background_dilation=params.metrics.background_dilation,
        clip=load_clip(resolve_path(params.metrics.clip_model), device, params.model.download),
        measures=load_measures(inputs.embeddings, inputs.motion),
    )
    with whole_file(outputs.difference) as path:
        shown_as = VideoInfo(**facts["source"])
        write_viewable(path, difference_video(edited, source), facts["times"], params.video.crf, None, shown_as)
    used = correct_edited(first_frame, source[0], mask[0], params.mask.correct_edited)
    dilated = dilate_mask(mask, params.metrics.background_dilation)
    given = [inputs.edited, inputs.source, inputs.first_frame, inputs.mask]
    content = {
        "rows": rows,
        "first_frame": describe_first_frame(edited, source, first_frame, used, dilated),
        "joins": describe_joins(rows["edited"], params.windows),
        "provenance": describe("evaluate", params.described(), given, [], describe_device(device)),
    }
    write_json(outputs.metrics, content)
