"""Draw a contact strip of a scene: source frames with the mask's contour and the true region's."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from demo.mask_evaluation.cases import Region, Video
from lib.core.files import whole_file
from lib.video.arrays import Picture

NUM_COLUMNS, SCALE = 6, 2
TITLE_HEIGHT, GAP = 18, 2  # pixels
MASK_COLOUR, TRUE_COLOUR = (255, 40, 40), (40, 255, 60)  # RGB


def draw_strip(title: str, source: Video, edited: dict[int, Picture], mask: Region, region: Region, path: Path) -> None:
    """Write a PNG: the edited frames, then every frame of the source, the mask in red and the true region in green.

    Args:
        title: written above.
        source: as the workflow read it, (frames, height, width, 3).
        edited: the given edited frames, by position.
        mask, region: (frames, height, width).
        path: to write.
    """
    cells = [(f"edited {frame}", _enlarge(picture)) for frame, picture in edited.items()]
    for frame, (picture, masked, true) in enumerate(zip(source, mask, region, strict=True)):
        cell = _enlarge(picture)
        for plane, colour in ((true, TRUE_COLOUR), (masked, MASK_COLOUR)):
            contours, _ = cv2.findContours(_enlarge(plane.astype(np.uint8)), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
            cv2.drawContours(cell, contours, -1, colour, 1)
        cells.append((f"frame {frame}", cell))
    cell_height, cell_width, _ = cells[0][1].shape
    num_rows = -(-len(cells) // NUM_COLUMNS)
    step_down, step_right = cell_height + TITLE_HEIGHT, cell_width + GAP
    strip = Image.new("RGB", (NUM_COLUMNS * step_right, TITLE_HEIGHT + num_rows * step_down), "white")
    pen = ImageDraw.Draw(strip)
    pen.text((4, 3), title, fill="black")
    for place, (label, cell) in enumerate(cells):
        row, column = divmod(place, NUM_COLUMNS)
        left, top = column * step_right, TITLE_HEIGHT + row * step_down
        pen.text((left + 4, top + 3), label, fill="grey")
        strip.paste(Image.fromarray(cell), (left, top + TITLE_HEIGHT))
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        strip.save(temporary)


def _enlarge(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(picture.repeat(SCALE, axis=0).repeat(SCALE, axis=1))
