"""Measure an edited video, beside the VAE round trip and the unedited copy of the source."""

from pathlib import Path

import numpy as np

from lib.config.sections import MaskSection, MetricsSection, ModelSection, VideoSection
from lib.core.files import read_json, whole_file, write_json
from lib.core.provenance import describe
from lib.execution.devices import describe_device, prepare_torch
from lib.inputs.checkpoints import resolve_path
from lib.masks.compositing import correct_edited
from lib.masks.refusals import refuse
from lib.metrics.background import dilate_mask
from lib.metrics.rows import describe_first_frame, describe_joins, evaluate_rows, keep_own
from lib.metrics.similarity import load_clip
from lib.metrics.source import load_measures
from lib.metrics.video import difference_video
from lib.stages.job import Files, Job, Params
from lib.video.frame_matching import own_frames
from lib.video.probing import VideoInfo
from lib.video.reading import read_first_frame, read_mask, read_video
from lib.video.writing import write_viewable


class Inputs(Files):
    """The edited video, what it was made from, and the measures of its source.

    mask_facts: of an edit whose video is there whether its mask can be used or not, as another tool's is.
    """

    edited: Path
    source: Path
    facts: Path
    first_frame: Path
    mask: Path
    round_trip: Path
    embeddings: Path
    motion: Path
    mask_facts: Path | None = None


class Outputs(Files):
    """The metrics as JSON, and a video for people of where edited and source differ."""

    metrics: Path
    difference: Path


class Evaluate(Params):
    """How the video is measured.

    metrics: the whole section; mask: correct_edited; video: crf; windows: of the clip.
    model: device and download; name and family too, since the round trip is of this model's VAE.
    frames: of a video that another tool made, see `lib.video.frame_matching.Match`; none: each frame is its own.
    """

    metrics: MetricsSection
    mask: MaskSection
    video: VideoSection
    model: ModelSection
    windows: list[tuple[int, int]]
    frames: tuple[int, ...] = ()


def evaluate(inputs: Inputs, outputs: Outputs, params: Evaluate, job: Job) -> None:
    """Write the metrics of an edited video."""
    if inputs.mask_facts:
        refuse([inputs.mask_facts])
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
    own = own_frames(params.frames or range(len(edited)))
    rows["edited"] = keep_own(rows["edited"], own)
    compared = source[np.maximum.accumulate(np.where(own, np.arange(len(own)), 0))]  # with what is shown, where it was
    with whole_file(outputs.difference) as path:
        shown_as = VideoInfo(**facts["source"])
        write_viewable(path, difference_video(edited, compared), facts["times"], params.video.crf, None, shown_as)
    used = correct_edited(first_frame, source[0], mask[0], params.mask.correct_edited)
    dilated = dilate_mask(mask, params.metrics.background_dilation)
    given = [inputs.edited, inputs.source, inputs.first_frame, inputs.mask]
    start = slice(2 if all(own[:2]) else 1)
    content = {
        "rows": rows,
        "first_frame": describe_first_frame(edited[start], source[start], first_frame, used, dilated[start]),
        "joins": describe_joins(rows["edited"], params.windows),
        "provenance": describe("evaluate", params.described(), given, [], describe_device(device)),
    }
    write_json(outputs.metrics, content)
