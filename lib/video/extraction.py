"""The frames of a source video that are edited, at the model's size, with their sound and times."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from lib.video.arrays import DecodedVideo
from lib.video.crops import apply_crop, plan_crop
from lib.video.probing import probe_video
from lib.video.reading import read_frames
from lib.video.sound import Sound, read_sound
from lib.video.windows import sample_indices


def extract_frames(
    source: str | Path, num_frames: int, width: int, height: int, start: int, stride: int
) -> tuple[DecodedVideo, Sound | None, dict[str, Any]]:
    """Sample a source video, resize and crop it.

    Args:
        source: any video that PyAV decodes.
        num_frames, start, stride: see `sample_indices`.
        width, height: see `plan_crop`, in pixels.

    Returns:
        The video (frames, height, width, 3); its sound over the same time; and the facts kept beside it:
        fps, indices, times in seconds from 0, crop, and what the source is.
    """
    info = probe_video(source)
    indices = sample_indices(start, stride, num_frames)
    crop = plan_crop(info.height, info.width, width, height)
    video, source_times = read_frames(source, indices, lambda picture: apply_crop(picture, crop))
    interval = stride / info.fps
    sound_notes: list[str] = []
    sound = read_sound(source, source_times[0], source_times[-1] + interval, sound_notes.append)
    for note in sound_notes:
        print(note)
    facts = {
        "fps": info.fps / stride,
        "indices": indices,
        "times": [round(time - source_times[0], 6) for time in source_times],
        "width": crop.width,
        "height": crop.height,
        "crop": asdict(crop),
        "source": asdict(info),
        **({"sound": "; ".join(sound_notes)} if sound_notes else {}),  # the report shows it
    }
    return video, sound, facts
