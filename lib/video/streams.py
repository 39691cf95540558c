"""Open a user's video and choose its picture stream: the same one for whoever asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.codec import Codec
from av.stream import Disposition

from lib.core.errors import InputError, Problem

WHOLE_VIDEO = "a video that PyAV can decode to its end"
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders of these drop a second layer of alpha


def unusable(path: str | Path, found: str, expected: str = WHOLE_VIDEO) -> InputError:
    """Say what is wrong with a video."""
    return InputError([Problem(str(path), found, expected)])


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[Any, Any]]:
    """Open a video and choose its stream: moving pictures, and of several the one that players show.

    Yields:
        The container and the stream.

    Raises:
        InputError: no video in it, or one of a codec that FFmpeg does not know.
    """
    with av.open(str(path), metadata_errors="replace") as container:
        streams = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not streams:
            kind = "cover art alone" if container.streams.video else "no video stream"
            raise unusable(path, f"a file with {kind}")
        best = container.streams.best("video")
        stream = best if best in streams else streams[0]
        if stream.codec_context is None:
            raise unusable(path, "a video of a codec that FFmpeg does not know", "one of a codec that it decodes")
        yield container, stream


def decode(container: Any, stream: Any) -> Iterator[Any]:
    """Decode a stream from where the container stands; transparency comes with the pictures where the file has it."""
    decoder = ALPHA_DECODERS.get(stream.codec_context.name) if stream.metadata.get("alpha_mode") == "1" else None
    if decoder is None:
        yield from container.decode(stream)
        return
    context: Any = Codec(decoder, "r").create()
    for packet in container.demux(stream):
        for frame in context.decode(packet):
            frame.time_base = packet.time_base
            yield frame


def _is_cover(stream: Any) -> bool:
    """Tell a picture that is attached, such as an album's cover, from moving ones."""
    return bool(stream.disposition & Disposition.attached_pic)
