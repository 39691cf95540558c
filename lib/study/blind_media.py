"""Videos and pictures that tell nothing of what made them: no name, no size, no time, no metadata, no sound."""

import os
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from av.bitstream import BitStreamFilterContext

TIME = 946_684_800  # 2000-01-01: when each file was last changed, as far as its copy says
HEADER = 8  # bytes of an empty box of an mp4 file
NO_NOTES = "filter_units=remove_types=6"  # x264 writes its settings into such a unit (SEI) of the first frame


def copy_videos(sources: Sequence[Path], targets: Sequence[Path]) -> None:
    """Copy videos of one item so that they differ in their pictures alone; the smaller are filled up with nothing.

    Pictures are copied as they are encoded; sound, titles and encoders' notes are left out.

    Args:
        sources: H.264 in .mp4, as `lib.video.writing.write_viewable` makes it.
    """
    for source, target in zip(sources, targets, strict=True):
        _copy_pictures(source, target)
    size = max(target.stat().st_size for target in targets) + HEADER
    for target in targets:
        num_missing = size - target.stat().st_size
        with target.open("ab") as video:
            video.write(num_missing.to_bytes(4, "big") + b"free" + bytes(num_missing - HEADER))
        os.utime(target, (TIME, TIME))


def copy_picture(source: Path, target: Path) -> bool:
    """Copy the pixels of a picture into a PNG; tell whether it could be read."""
    if not source.is_file():
        return False
    # Decoded from bytes: OpenCV's own reader cannot open every file name.
    pixels = cv2.imdecode(np.fromfile(source, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        return False
    target.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    os.utime(target, (TIME, TIME))
    return True


def _copy_pictures(source: Path, target: Path) -> None:
    options = {"movflags": "faststart", "fflags": "+bitexact"}
    with av.open(str(source)) as video, av.open(str(target), "w", format="mp4", options=options) as copy:
        stream = video.streams.video[0]
        written = copy.add_stream_from_template(stream)
        written.metadata.clear()
        filters = BitStreamFilterContext(NO_NOTES, stream) if stream.codec_context.name == "h264" else None
        for packet in video.demux(stream):
            for kept in filters.filter(packet) if filters else [packet]:
                if kept.dts is not None:
                    kept.stream = written
                    copy.mux(kept)
