"""Sample, resize and crop the source; keep it without loss, with its sound."""

from pathlib import Path

from lib.config.sections import VideoSection
from lib.core.files import whole_file, write_json
from lib.core.provenance import describe
from lib.stages.job import Files, Params
from lib.video import extraction
from lib.video.probing import VideoInfo
from lib.video.writing import write_lossless, write_viewable


class Inputs(Files):
    """The user's video."""

    source: Path


class Outputs(Files):
    """The frames used, at the model's size: without loss, for people, and the facts of both."""

    video: Path
    preview: Path
    facts: Path


class ExtractFrames(Params):
    """video: width, height, start, stride, crf; num_frames: how many of this clip are used."""

    video: VideoSection
    num_frames: int


def extract_frames(inputs: Inputs, outputs: Outputs, params: ExtractFrames) -> None:
    """Write the frames of a clip that are edited, and what is known of them."""
    section = params.video
    video, sound, facts = extraction.extract_frames(
        inputs.source,
        num_frames=params.num_frames,
        width=section.width,
        height=section.height,
        start=section.start,
        stride=section.stride,
    )
    with whole_file(outputs.video) as path:
        write_lossless(path, video, facts["times"], sound)
    with whole_file(outputs.preview) as path:
        write_viewable(path, video, facts["times"], section.crf, sound, VideoInfo(**facts["source"]))
    made = describe("extract_frames", params.described(), [inputs.source], [outputs.video])
    write_json(outputs.facts, {**facts, "provenance": made})
