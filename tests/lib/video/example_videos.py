"""Videos as programs and telephones write them."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

NTSC = [round(index * 1001 / 30000, 6) for index in range(12)]


def smooth_video(frames: int = 12, height: int = 48, width: int = 64) -> np.ndarray:
    """Slow colour waves that H.264 keeps well: (frames, height, width, 3) uint8."""
    t, y, x = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
    waves = [128 + 100 * np.sin(x / 15 + t / 5), 128 + 100 * np.sin(y / 12), 128 + 100 * np.sin((x + y) / 20 - t / 6)]
    return np.stack(waves, axis=-1).astype(np.uint8)


def write_with(path: Path, video: np.ndarray, codec: str, pixel_format: str, rate: Fraction = Fraction(25)) -> None:
    """Write with a codec and pixel format of choice, as other programs would."""
    height, width = video.shape[1:3]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        layout = "rgba" if video.shape[-1] == 4 else "rgb24"
        for picture in video:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=layout)
            container.mux(stream.encode(frame.reformat(format=pixel_format)))
        container.mux(stream.encode(None))


def rotate_metadata(path: Path) -> None:
    """Turn an mp4 by a quarter through its track header alone, as telephones do."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
