"""Optical flow in a file: whole numbers of 1/128 pixel in FFV1, a thirtieth of what its floats would take."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from lib.core.files import whole_file
from lib.video.flow import Flow

STEPS = 128  # a pixel
ZERO = 32768  # of 16 bits without a sign


def rounded(flows: Flow) -> Flow:
    """Round flows to what a file holds, so that they are the same with and without one in between."""
    return np.asarray(_as_steps(flows).astype(np.float32) / STEPS, np.float32)


def write_flows(path: Path, *flows: Flow) -> None:
    """Write flows (frames, height, width, 2) of one shape, `rounded`, to one .mkv file, whole or not at all."""
    frames, height, width, _ = flows[0].shape
    assert all(each.shape == flows[0].shape for each in flows)
    planes = np.concatenate([_as_steps(each)[..., axis] for each in flows for axis in (0, 1)], axis=1)
    with (
        whole_file(path) as temporary,
        av.open(str(temporary), "w", options={"fflags": "+bitexact"}) as container,
    ):
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, planes.shape[1], "gray16le"
        for number in range(frames):
            picture = (planes[number].astype(np.int32) + ZERO).astype(np.uint16)
            frame = av.VideoFrame.from_ndarray(picture, format="gray16le")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def read_flows(path: Path, number: int) -> Sequence[Flow]:
    """Read so many flows (frames, height, width, 2) that `write_flows` wrote together."""
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="gray16le") for frame in container.decode(video=0)]
    values = (np.stack(pictures).astype(np.float32) - ZERO) / STEPS  # (frames, number * 2 * height, width)
    frames, height, width = values.shape
    parts = values.reshape(frames, number, 2, height // (2 * number), width)
    return [np.ascontiguousarray(np.moveaxis(parts[:, index], 1, -1)) for index in range(number)]


def _as_steps(flows: Flow) -> np.ndarray:
    steps: np.ndarray = np.round(flows * STEPS).clip(-ZERO, ZERO - 1).astype(np.int16)
    return steps
