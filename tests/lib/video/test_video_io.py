"""Reading and writing: what cameras and editors really produce, and our own files without loss."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lib.core.errors import InputError
from lib.video.arrays import to_decoded_video, to_model_video
from lib.video.images import read_image, write_image
from lib.video.probing import VideoInfo, probe_video
from lib.video.reading import read_first_frame, read_frames, read_mask, read_video
from lib.video.sound import Sound, read_sound
from lib.video.writing import write_lossless, write_mask, write_viewable

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


def test_lossless_video_comes_back_bit_for_bit(tmp_path: Path) -> None:
    """FFV1 keeps every value of noise, and the times."""
    video = np.random.default_rng(0).integers(0, 256, (12, 33, 47, 3), dtype=np.uint8)
    write_lossless(tmp_path / "video.mkv", video, NTSC)
    assert np.array_equal(read_video(tmp_path / "video.mkv"), video)
    assert np.array_equal(read_first_frame(tmp_path / "video.mkv"), video[0])


def test_mask_comes_back_bit_for_bit(tmp_path: Path) -> None:
    """Masks never pass through lossy video."""
    mask = np.random.default_rng(0).random((12, 33, 47)) > 0.5
    write_mask(tmp_path / "mask.mkv", mask, NTSC)
    assert np.array_equal(read_mask(tmp_path / "mask.mkv"), mask)


def test_viewable_video_keeps_rate_colours_and_sound(tmp_path: Path) -> None:
    """H.264 in mp4: 29.97 fps stays, colours stay within rounding, sound is as long as the video."""
    video = smooth_video()
    tone = np.sin(np.arange(round(0.4 * 48000)) * 2 * np.pi * 440 / 48000).astype(np.float32)[np.newaxis] * 0.5
    source = VideoInfo(64, 48, 12, 29.97, 1, "h264", "yuv420p", True, pixel_aspect=12 / 11)
    write_viewable(tmp_path / "video.mp4", video, NTSC, crf=10, sound=Sound(tone, 48000), source=source)
    info = probe_video(tmp_path / "video.mp4")
    assert (info.codec, info.pixel_format, info.num_frames, info.has_audio) == ("h264", "yuv420p", 12, True)
    assert info.fps == pytest.approx(30000 / 1001, rel=1e-3)
    assert info.pixel_aspect == pytest.approx(12 / 11, rel=1e-3)
    again, times = read_frames(tmp_path / "video.mp4", range(12))
    assert np.abs(again.astype(int) - video).mean() < 2.5
    assert times == pytest.approx(NTSC, abs=1e-4)
    sound = read_sound(tmp_path / "video.mp4")
    assert sound is not None and sound.rate == 48000
    assert sound.samples.shape[1] / 48000 == pytest.approx(0.4, abs=0.05)
    assert np.sqrt((sound.samples**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_sound_is_cut_to_the_frames_without_clicks(tmp_path: Path) -> None:
    """Sound kept losslessly comes back to 16 bits, also from its middle; beyond its end there is silence."""
    tone = np.sin(np.arange(48000) * 2 * np.pi * 440 / 48000).astype(np.float32)[np.newaxis] * 0.5
    times = [index / 25 for index in range(25)]
    write_lossless(tmp_path / "video.mkv", smooth_video(25), times, Sound(tone, 48000))
    whole = read_sound(tmp_path / "video.mkv", 0, 1.0)
    assert whole is not None and np.abs(whole.samples - tone).max() < 1e-3
    part = read_sound(tmp_path / "video.mkv", 0.5, 1.5)
    assert part is not None and np.abs(part.samples[:, :23000] - tone[:, 24000:47000]).max() < 0.1
    assert not part.samples[:, 24100:].any()


def test_same_video_is_written_as_the_same_bytes(tmp_path: Path) -> None:
    """Same pictures, same file: no time stamps, no dependence on chance."""
    for name in ("first", "second"):
        write_viewable(tmp_path / f"{name}.mp4", smooth_video(), NTSC, crf=15)
        write_lossless(tmp_path / f"{name}.mkv", smooth_video(), NTSC)
    for suffix in (".mp4", ".mkv"):
        assert (tmp_path / f"first{suffix}").read_bytes() == (tmp_path / f"second{suffix}").read_bytes()


def test_rotation_metadata_is_applied(tmp_path: Path) -> None:
    """A landscape file that a telephone marked as turned is read as portrait, the right way up."""
    video = smooth_video()
    write_viewable(tmp_path / "video.mp4", video, NTSC, crf=5)
    upright, _ = read_frames(tmp_path / "video.mp4", [0])
    rotate_metadata(tmp_path / "video.mp4")
    info = probe_video(tmp_path / "video.mp4")
    assert (info.width, info.height, info.orientation) == (48, 64, 6)
    turned, _ = read_frames(tmp_path / "video.mp4", [0])
    # A display matrix of a quarter to the right, as telephones held upright write it.
    assert np.array_equal(turned[0], np.rot90(upright[0], -1))


def test_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    """Uneven times survive reading and writing."""
    times = [0.0, 0.04, 0.12, 0.16, 0.4, 0.44]
    write_viewable(tmp_path / "video.mp4", smooth_video(6), times, crf=20)
    _, read = read_frames(tmp_path / "video.mp4", range(6))
    assert read == pytest.approx(times, abs=1e-4)


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format"),
    [("mkv", "libx264", "yuv420p10le"), ("mkv", "ffv1", "yuv444p"), ("mov", "prores_ks", "yuv422p10le")],
)
def test_ten_bit_and_odd_sizes_are_read(tmp_path: Path, suffix: str, codec: str, pixel_format: str) -> None:
    """10-bit, 4:4:4 and 4:2:2 footage becomes 8-bit RGB of the right colours; odd sizes where the format has them."""
    video = smooth_video(4, 48, 64) if "444" not in pixel_format else smooth_video(4, 47, 63)
    path = tmp_path / f"video.{suffix}"
    write_with(path, video, codec, pixel_format)
    info = probe_video(path)
    assert (info.num_frames, info.height, info.width) == video.shape[:3]
    read, _ = read_frames(path, range(4))
    assert np.abs(read.astype(int) - video).mean() < 4


def test_alpha_is_laid_over_black(tmp_path: Path) -> None:
    """A half transparent white frame reads as mid-grey."""
    video = np.full((3, 32, 32, 4), 255, np.uint8)
    video[..., 3] = 128
    write_with(tmp_path / "video.mkv", video, "ffv1", "bgra")
    read, _ = read_frames(tmp_path / "video.mkv", [1])
    assert np.abs(read.astype(int) - 128).max() <= 1


def test_frames_beyond_the_end_are_an_input_error(tmp_path: Path) -> None:
    """The message names the file, what it has and what was needed."""
    write_viewable(tmp_path / "video.mp4", smooth_video(), NTSC, crf=20)
    with pytest.raises(InputError, match="found 12 decodable frames; expected at least 21"):
        read_frames(tmp_path / "video.mp4", [0, 20])


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_truncated_video_is_noticed(tmp_path: Path, suffix: str) -> None:
    """A download that broke off is refused by the probe, in formats with and without an index at the front."""
    codec = "libvpx-vp9" if suffix == "webm" else "libx264"
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    if suffix == "mp4":
        write_viewable(whole, smooth_video(50), [index / 25 for index in range(50)], crf=10)
    else:
        write_with(whole, smooth_video(50), codec, "yuv420p")
    assert probe_video(whole).num_frames == 50
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with pytest.raises(InputError, match="truncated"):
        probe_video(cut)


def test_files_that_are_no_video_are_refused(tmp_path: Path) -> None:
    """Text, an empty file and a sound file are named for what they are."""
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    for name in ("text.mp4", "empty.mp4", "missing.mp4"):
        with pytest.raises(InputError, match="unreadable"):
            probe_video(tmp_path / name)


def test_model_video_round_trip_is_exact() -> None:
    """uint8 to [-1, 1] and back loses nothing; the layout is (1, 3, frames, height, width)."""
    video = np.random.default_rng(0).integers(0, 256, (5, 8, 12, 3), dtype=np.uint8)
    model_video = to_model_video(video)
    assert model_video.shape == (1, 3, 5, 8, 12)
    assert model_video.min() >= -1 and model_video.max() <= 1
    assert np.array_equal(to_decoded_video(model_video), video)
    assert np.array_equal(to_decoded_video(model_video * 3)[video > 200], np.full((video > 200).sum(), 255))


def test_user_images_are_read_upright_without_alpha(tmp_path: Path) -> None:
    """EXIF orientation is applied, transparency laid over black, grey made RGB."""
    from PIL import Image

    picture = smooth_video(1)[0]
    write_image(tmp_path / "plain.png", picture)
    assert np.array_equal(read_image(tmp_path / "plain.png"), picture)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter to the right
    Image.fromarray(picture).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "turned.png"), np.rot90(picture, -1))
    Image.fromarray(np.full((4, 4, 2), 128, np.uint8), "LA").save(tmp_path / "alpha.png")
    assert np.abs(read_image(tmp_path / "alpha.png").astype(int) - 64).max() <= 1
