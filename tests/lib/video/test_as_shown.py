"""Pictures are what a player shows: turned, trimmed, interlaced, of a high range, beside covers and other streams."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from lib.core.errors import InputError
from lib.video.orientation import orientation_of_matrix, upright
from lib.video.probing import probe_video
from lib.video.reading import read_frames
from lib.video.tone import HLG, PQ, to_standard_range
from tests.lib.video.example_videos import smooth_video

ONE = 1 << 16  # of a display matrix' fixed point


def write(path: Path, video: np.ndarray, codec: str = "libx264", form: str = "yuv420p", **how: Any) -> Path:
    """Write a video (frames, height, width, 3) with PyAV; `setup(stream)` and `before(container)` may add to it."""
    with av.open(str(path), "w", options=how.get("container_options", {})) as container:
        if "before" in how:
            how["before"](container)
        stream: Any = container.add_stream(codec, rate=25, options=how.get("options", {"crf": "4"}))
        stream.height, stream.width = video.shape[1:3]
        stream.pix_fmt = form
        if "setup" in how:
            how["setup"](stream)
        for number, picture in enumerate(video):
            frame = (
                how["frame_of"](picture) if "frame_of" in how else av.VideoFrame.from_ndarray(picture, format="rgb24")
            )
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _as_frame(picture: np.ndarray) -> Any:
    return av.VideoFrame.from_ndarray(picture, format="rgb24")


def remux(source: Path, target: Path, change: Callable[[int, Any], Any], **how: Any) -> Path:
    """Copy a video's packets; `change(number, packet)` returns each, changed, or None to leave it out."""
    with av.open(str(source)) as given, av.open(str(target), "w", **how) as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for number, packet in enumerate(packet for packet in given.demux(video=0) if packet.dts is not None):
            kept = change(number, packet)
            if kept is not None:
                kept.stream = stream
                made.mux(kept)
    return target


def set_matrix(path: Path, a: float, b: float, c: float, d: float) -> None:
    """Overwrite the display matrix of an mp4's first track."""
    content = bytearray(path.read_bytes())
    at = content.find(b"tkhd") + 4 + 4 + 20 + 16
    assert struct.unpack(">9i", content[at : at + 36]) == (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)
    turned = [round(value * ONE) for value in (a, b, 0, c, d, 0, 0, 0)]
    content[at : at + 36] = struct.pack(">9i", *turned, 1 << 30)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 1), lambda picture: picture),
        ((-1, 0, 0, 1), lambda picture: picture[:, ::-1]),
        ((-1, 0, 0, -1), lambda picture: picture[::-1, ::-1]),
        ((1, 0, 0, -1), lambda picture: picture[::-1]),
        ((0, 1, 1, 0), lambda picture: picture.transpose(1, 0, 2)),
        ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),
        ((0, -1, -1, 0), lambda picture: picture.transpose(1, 0, 2)[::-1, ::-1]),
        ((0, -1, 1, 0), lambda picture: np.rot90(picture, 1)),
    ],
    ids=["as stored", "mirrored", "half a turn", "flipped", "transposed", "right", "transverse", "left"],
)  # fmt: skip
def test_every_display_matrix_is_applied(
    tmp_path: Path, matrix: tuple[float, ...], expected: Callable[[np.ndarray], np.ndarray]
) -> None:
    """All eight ways in which a phone may hold and mirror its pictures."""
    path = write(tmp_path / "video.mp4", smooth_video(3))
    (stored,), _ = read_frames(path, [0])
    set_matrix(path, *matrix)
    (shown,), _ = read_frames(path, [0])
    assert np.array_equal(shown, expected(stored))
    info = probe_video(path)
    assert (info.height, info.width) == shown.shape[:2]


def test_an_odd_angle_is_refused_by_name(tmp_path: Path) -> None:
    """A picture turned by 30 degrees has no rows of pixels to edit."""
    path = write(tmp_path / "video.mp4", smooth_video(3))
    set_matrix(path, 0.866, 0.5, -0.5, 0.866)
    with pytest.raises(InputError, match=r"video.mp4: found .* turned by .*30.* degrees"):
        probe_video(path)


def test_orientations_are_one_notation() -> None:
    """What a matrix says in eight ways turns a picture in eight ways; a shear is none of them."""
    picture = np.arange(6).reshape(2, 3)
    shown = [upright(picture, orientation) for orientation in range(1, 9)]
    assert len({(each.shape, each.tobytes()) for each in shown}) == 8
    shear = struct.pack("<9i", ONE, ONE // 2, 0, 0, ONE, 0, 0, 0, 1 << 30)
    assert orientation_of_matrix(shear) is None


def test_what_an_edit_list_hides_is_not_counted_nor_read(tmp_path: Path) -> None:
    """A lossless trim of a phone: 30 samples, of which 20 are shown."""
    whole = write(tmp_path / "whole.mp4", smooth_video(30), options={"g": "60", "bf": "0", "crf": "4"})

    def earlier(_: int, packet: Any) -> Any:
        ticks = int(Fraction(10, 25) / packet.time_base)
        packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks
        return packet

    trimmed = remux(whole, tmp_path / "trimmed.mp4", earlier, options={"avoid_negative_ts": "disabled"})
    assert probe_video(trimmed).num_frames == 20
    shown, times = read_frames(trimmed, list(range(20)))
    assert np.array_equal(shown, read_frames(whole, list(range(10, 30)))[0]) and times[0] == 0


def test_a_stream_that_begins_in_mid_gop_counts_what_decodes(tmp_path: Path) -> None:
    """Broadcast recordings begin anywhere: what comes before the first whole picture is not there."""
    options = {"g": "10", "bf": "0", "crf": "4", "x264-params": "scenecut=0"}
    whole = write(tmp_path / "whole.ts", smooth_video(30), options=options)
    cut = remux(whole, tmp_path / "cut.ts", lambda number, packet: packet if number >= 4 else None)
    info = probe_video(cut)
    frames, times = read_frames(cut, list(range(info.num_frames)))
    assert 20 <= info.num_frames < 30 and len(frames) == info.num_frames and times[0] == 0
    with pytest.raises(InputError, match=f"{info.num_frames} decodable frames"):
        read_frames(cut, [info.num_frames])


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    """A picture attached before or after the film is passed over; alone it is named for what it is."""
    film = smooth_video(5)
    cover = np.full((40, 40, 3), 200, np.uint8)

    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        picture: Any = container.add_stream("mjpeg", rate=1)
        picture.width = picture.height = 40
        picture.pix_fmt, picture.disposition = "yuvj420p", av.stream.Disposition.attached_pic
        stream: Any = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        frame = av.VideoFrame.from_ndarray(cover, format="rgb24")
        frame.pts = 0
        container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        for number, each in enumerate(film):
            shown = av.VideoFrame.from_ndarray(each, format="rgb24")
            shown.pts, shown.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
    info = probe_video(path)
    assert (info.width, info.height, info.codec, info.num_frames) == (64, 48, "h264", 5)
    assert read_frames(path, [4])[0].shape == (1, 48, 64, 3)


def test_interlaced_frames_become_one_picture(tmp_path: Path) -> None:
    """Two fields at two times comb whatever moves: after deinterlacing no row differs from both its neighbours."""
    fields = smooth_video(24, 64, 96)
    woven = fields[::2].copy()
    woven[:, 1::2] = np.roll(fields[1::2], 6, axis=2)[:, 1::2]
    options = {"crf": "2", "flags": "+ildct+ilme", "x264-params": "tff=1"}
    path = write(tmp_path / "video.mkv", woven, options=options)
    assert probe_video(path).interlaced
    read, times = read_frames(path, list(range(12)))
    assert len(read) == 12 and times == pytest.approx([index / 25 for index in range(12)], abs=2e-3)

    def combing(video: np.ndarray) -> float:
        grey = video[2:10].astype(float).mean(axis=-1)
        return float(np.abs(grey[:, 1:-1] - (grey[:, :-2] + grey[:, 2:]) / 2).mean())

    assert combing(read) < 0.5 * combing(woven)


@pytest.mark.parametrize(("trc", "transfer"), [(18, HLG), (16, PQ)])
def test_a_high_dynamic_range_is_shown_as_a_standard_one(tmp_path: Path, trc: int, transfer: str) -> None:
    """What a phone records by default: the picture that players show, within a few levels, not a pale or dark one."""
    video = smooth_video(3, 64, 96)

    def frame_of(picture: np.ndarray) -> Any:
        signal = (_signal(picture, transfer) * 65535).round().astype(np.uint16)
        frame = av.VideoFrame.from_ndarray(signal, format="rgb48le")
        return frame.reformat(format="yuv420p10le", dst_colorspace="BT2020", dst_color_range="MPEG")

    def tags(stream: Any) -> None:
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, trc, 1

    options = {"x265-params": "crf=4:log-level=none:pools=1"}
    path = write(
        tmp_path / "video.mov", video, "libx265", "yuv420p10le", options=options, setup=tags, frame_of=frame_of
    )
    assert probe_video(path).transfer == transfer
    read, _ = read_frames(path, [0, 1, 2])
    assert np.abs(read.astype(int) - video).mean() < 4


def _signal(picture: np.ndarray, transfer: str) -> np.ndarray:
    """Turn sRGB of 8 bits into a signal of BT.2020 and a transfer, 0 to 1 (ITU-R BT.2100): the way there."""
    value = picture.astype(np.float64) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    to_wide = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    wide = np.clip(light @ to_wide.T, 0, 1)
    if transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = wide * 0.265
        return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)
    power = (wide * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def test_what_is_brighter_than_white_keeps_its_hue_below_it() -> None:
    """Highlights are compressed, in order, and none is cut to plain white."""
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    grey = to_standard_range(np.repeat(ramp[None, :, None], 3, axis=2), HLG)[0, :, 0].astype(int)
    assert (np.diff(grey) >= 0).all() and grey[0] == 0 and 235 < grey[192] < 255
    orange = to_standard_range(np.array([[[50000, 45000, 40000]]], np.uint16), PQ)[0, 0]
    assert orange[0] > orange[1] > orange[2]


def test_a_size_that_changes_is_named(tmp_path: Path) -> None:
    """Two recordings in one file: frames of two sizes make no video."""
    first = write(tmp_path / "1.ts", smooth_video(6, 48, 64), "mpeg2video", options={})
    second = write(tmp_path / "2.ts", smooth_video(6, 64, 96), "mpeg2video", options={})
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(InputError, match="a size that changes: 64x48 pixels, and 96x64 from frame [56] on"):
        read_frames(path, list(range(10)))


def test_memory_holds_what_is_kept_and_not_what_is_thrown_away(tmp_path: Path) -> None:
    """Each frame is brought to size as it is decoded: never two of the full size at a time."""
    path = write(tmp_path / "video.mp4", smooth_video(12))
    sizes = []

    def fit(picture: np.ndarray) -> np.ndarray:
        sizes.append(picture.shape)
        return picture[:8, :8].copy()

    frames, _ = read_frames(path, list(range(12)), fit)
    assert frames.shape == (12, 8, 8, 3) and sizes == [(48, 64, 3)] * 12


def test_an_unknown_codec_is_named(tmp_path: Path) -> None:
    """A camera's own format: a track whose code no decoder knows."""
    path = write(tmp_path / "video.mp4", smooth_video(3))
    path.write_bytes(path.read_bytes().replace(b"avc1" + b"\0" * 6, b"brhq" + b"\0" * 6, 1))
    with pytest.raises(InputError, match="video.mp4: found a video of a codec that FFmpeg does not know"):
        probe_video(path)
