"""Draw a contact sheet: outputs below the truth, a few frames across."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lib.core.files import whole_file

NUM_COLUMNS = 6  # frames
LABEL_WIDTH, TITLE_HEIGHT, GAP = 110, 18, 2  # pixels


def draw_sheet(scenes: Sequence[tuple[str, dict[str, NDArray[np.uint8]]]], path: Path) -> None:
    """Draw each scene's videos, one row each, with six frames spread over the clip.

    Args:
        scenes: name, and videos (frames, height, width, 3) uint8 RGB by label; all of one size.
        path: the PNG to write.
    """
    blocks = [_draw_scene(name, videos) for name, videos in scenes]
    if not blocks:
        return
    with whole_file(path) as temporary:
        Image.fromarray(np.concatenate(blocks)).save(temporary)


def _draw_scene(name: str, videos: dict[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    frames, height, width, _ = next(iter(videos.values())).shape
    chosen = np.linspace(0, frames - 1, NUM_COLUMNS).round().astype(int)
    size = (LABEL_WIDTH + NUM_COLUMNS * (width + GAP), TITLE_HEIGHT + len(videos) * (height + GAP))
    block = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(block)
    pen.text((4, 3), name, fill="black")
    for column, frame in enumerate(chosen):
        pen.text((LABEL_WIDTH + column * (width + GAP), 3), f"frame {frame}", fill="grey")
    for row, (label, video) in enumerate(videos.items()):
        top = TITLE_HEIGHT + row * (height + GAP)
        pen.text((4, top + height // 2 - 6), label, fill="black")
        for column, frame in enumerate(chosen):
            block.paste(Image.fromarray(video[frame]), (LABEL_WIDTH + column * (width + GAP), top))
    return np.asarray(block)
