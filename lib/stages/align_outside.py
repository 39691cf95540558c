"""Bring a video that another tool made for an edit to the clip's size, time and length."""

from pathlib import Path

from lib.config.sections import VideoSection
from lib.core.files import read_json, whole_file, write_json
from lib.core.provenance import describe
from lib.stages.job import Files, Params
from lib.video.alignment import read_outside
from lib.video.probing import VideoInfo
from lib.video.sound import read_sound
from lib.video.writing import write_lossless, write_viewable


class Inputs(Files):
    """The other tool's video, and the source's frames and facts."""

    outside: Path
    source: Path
    facts: Path


class Outputs(Files):
    """The video as if it were one of ours: for people, without loss, and where it came from."""

    video: Path
    lossless: Path
    provenance: Path


class AlignOutside(Params):
    """video: crf; frames, notes, changed: see `lib.inputs.edits.OutsideVideo`."""

    video: VideoSection
    frames: tuple[int, ...]
    notes: tuple[str, ...]
    changed: int


def align_outside(inputs: Inputs, outputs: Outputs, params: AlignOutside) -> None:
    """Write another tool's video with the clip's times, sound and pixel shape."""
    facts, sound = read_json(inputs.facts), read_sound(inputs.source)
    for note in params.notes:
        print(note)
    video = read_outside(inputs.outside, params.frames, facts["crop"], facts["source"]["pixel_aspect"])
    with whole_file(outputs.lossless) as path:
        write_lossless(path, video, facts["times"], sound)
    with whole_file(outputs.video) as path:
        write_viewable(path, video, facts["times"], params.video.crf, sound, VideoInfo(**facts["source"]))
    given = [inputs.outside, inputs.source]
    made = describe("align_outside", params.described(), given, [outputs.video, outputs.lossless])
    write_json(outputs.provenance, {**made, "notes": list(params.notes)})
