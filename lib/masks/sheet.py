"""Show people what is masked: an overlay video, and one picture that tells at a glance whether to trust a mask."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lib.masks.differences import edit_difference, scaled
from lib.video.arrays import DecodedVideo, Mask, Picture

TINT = (255, 40, 40)  # RGB of the mask
DIFFERENCE_TINT = (40, 220, 255)  # RGB of what the edit changed
NUM_COLUMNS = 6  # of the sheet
TILE_WIDTH = 240  # pixels of a landscape frame on the sheet; a portrait one has this height
LINE, GAP = 18, 4  # pixels
INK, PAPER = (30, 30, 30), (255, 255, 255)


def overlay(source_video: DecodedVideo, edit_mask: Mask) -> DecodedVideo:
    """Tint the region to edit and draw its contour, for people: (frames, height, width, 3) uint8."""
    frames, height, width, _ = source_video.shape
    assert edit_mask.shape == (frames, height, width)
    return np.stack([_tint(*pair, TINT) for pair in zip(source_video, edit_mask, strict=True)])


def draw_sheet(
    source_video: DecodedVideo,
    edited_frames: Mapping[int, Picture],
    difference_threshold: float,
    edit_mask: Mask,
    facts: Mapping[str, Any],
) -> NDArray[np.uint8]:
    """Draw edited frames with what they change, then the mask in frames spread over the clip.

    Args:
        source_video: (frames, height, width, 3) uint8 RGB.
        edited_frames: (height, width, 3) by their position.
        difference_threshold: see `lib.masks.differences.edit_difference`.
        edit_mask: (frames, height, width).
        facts: of `lib.masks.facts.describe_mask`; method, confidence and warnings are written down.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    frames, height, width, _ = source_video.shape
    tiles = [
        (f"edited frame {index}, change in blue", _mark_change(source_video[index], picture, difference_threshold))
        for index, picture in edited_frames.items()
    ]
    tiles += [("", np.full_like(source_video[0], 255))] * (-len(tiles) % NUM_COLUMNS)
    spread = np.unique(np.linspace(0, frames - 1, min(frames, 2 * NUM_COLUMNS)).round().astype(int))
    tiles += [(f"frame {index}", _tint(source_video[index], edit_mask[index], TINT)) for index in spread]
    scale = TILE_WIDTH / max(height, width)
    size = (round(width * scale), round(height * scale))
    confidence = f"Mask by {facts['method']}, confidence {facts['confidence']:.2f}"
    return _compose([confidence, *facts["warnings"]], tiles, size)


def _mark_change(source_frame: Picture, edited_frame: Picture, threshold: float) -> Picture:
    return _tint(edited_frame, edit_difference(source_frame, edited_frame, threshold), DIFFERENCE_TINT)


def _compose(lines: Sequence[str], tiles: Sequence[tuple[str, Picture]], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Lay out tiles below lines of text, NUM_COLUMNS in a row, each scaled to a size and with its label above."""
    width, height = size
    sheet_width = NUM_COLUMNS * (width + GAP) + GAP
    font = ImageFont.load_default(size=12)
    wrapped = [piece for line in lines for piece in _wrap(line, font, sheet_width - 2 * GAP)]
    top, num_rows = GAP + LINE * len(wrapped), -(-len(tiles) // NUM_COLUMNS)
    sheet = Image.new("RGB", (sheet_width, top + num_rows * (LINE + height + GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for row, line in enumerate(wrapped):
        pen.text((GAP, GAP + row * LINE), line, fill=INK, font=font)
    for number, (label, picture) in enumerate(tiles):
        left = GAP + number % NUM_COLUMNS * (width + GAP)
        above = top + number // NUM_COLUMNS * (LINE + height + GAP)
        pen.text((left, above), label, fill=INK, font=font)
        shown = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        sheet.paste(Image.fromarray(shown), (left, above + LINE))
    return np.asarray(sheet)


def _wrap(text: str, font: Any, width: int) -> list[str]:
    """Break a line between words so that each piece fits."""
    pieces, piece = [], ""
    for word in text.split():
        longer = f"{piece} {word}".strip()
        if piece and font.getlength(longer) > width:
            pieces.append(piece)
            longer = word
        piece = longer
    return [*pieces, piece]


def _tint(picture: Picture, plane: Mask, colour: tuple[int, int, int]) -> Picture:
    height, width, _ = picture.shape
    shown = picture.copy()
    shown[plane] = (0.65 * picture[plane] + 0.35 * np.array(colour, np.float32)).astype(np.uint8)
    contours, _ = cv2.findContours(plane.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(shown, contours, -1, colour, max(1, scaled(2, height, width)))
    return shown
