"""Draw the README's picture of what comes out: `python -m demo.make_picture --results results --output docs/demo.jpg`.

Three edits of the demo batch, a row each: what was given, what was found, and what was made. With `--before RESULTS`,
of an earlier model, the edits of both side by side.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
from PIL import Image, ImageDraw, ImageFont

from lib.core.files import whole_file
from lib.masks.sheet import overlay
from lib.video.arrays import Picture
from lib.video.images import read_image
from lib.video.reading import read_mask, read_video

EDITS = ("blue-circle", "gold-ring", "purple-to-orange")  # each of another clip
LATE, LAST = 10, 16  # frames of the demo's 17
COLUMNS = (
    "source, frame 0",
    "given: frame 0, edited",
    f"source, frame {LATE}",
    "found: what may change",
    f"made: frame {LATE}",
    f"made: frame {LAST}",
)
COMPARED = (
    "given: frame 0, edited",
    f"source, frame {LATE}",
    f"before: frame {LATE}",
    f"now: frame {LATE}",
    f"before: frame {LAST}",
    f"now: frame {LAST}",
)
TILE = (200, 120)  # width and height, pixels
GAP, LINE = 6, 22  # pixels
QUALITY = 88  # of JPEG, 0 to 100
INK, PAPER = (30, 30, 30), (255, 255, 255)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the picture from the results of the demo batch."""
    parser = argparse.ArgumentParser(description="Draw the README's picture from the results of `make demo`.")
    parser.add_argument("--results", type=Path, default=Path("results"), help="results folder of the demo batch")
    parser.add_argument("--output", type=Path, default=Path("docs/demo.jpg"), help="JPEG file to write")
    parser.add_argument("--before", type=Path, help="results of the same batch from an earlier model, to compare with")
    given = parser.parse_args(arguments)
    folders = [folder for edit in EDITS for folder in given.results.glob(f"*/{edit}")]
    if given.before:
        rows = [compare(folder, given.before / folder.relative_to(given.results)) for folder in folders]
        picture = draw_picture(rows, COMPARED)
    else:
        picture = draw_picture([row_of(folder) for folder in folders], COLUMNS)
    with whole_file(given.output) as path:
        picture.save(path, "JPEG", quality=QUALITY, subsampling=0, optimize=True)


def row_of(folder: Path) -> list[Picture]:
    """Return the pictures of one edit, each (height, width, 3) uint8 RGB, in the order of COLUMNS.

    Args:
        folder: of the edit in the results.
    """
    source = read_video(folder.parent / "source_video.mkv")
    edited = read_video(folder / "mask_lora" / "edited.mkv")
    marked = overlay(source, read_mask(folder / "edit_mask.mkv"))
    given = read_image(folder / "first_frame.png")
    return [source[0], given, source[LATE], marked[LATE], edited[LATE], edited[LAST]]


def compare(folder: Path, before: Path) -> list[Picture]:
    """Return the pictures of one edit in the order of COMPARED.

    Args:
        folder: of the edit in the results. before: in those of an earlier model.
    """
    source, given = read_video(folder.parent / "source_video.mkv"), read_image(folder / "first_frame.png")
    old, new = (read_video(place / "mask_lora" / "edited.mkv") for place in (before, folder))
    return [given, source[LATE], old[LATE], new[LATE], old[LAST], new[LAST]]


def draw_picture(rows: Sequence[Sequence[Picture]], columns: Sequence[str]) -> Image.Image:
    """Lay out rows of pictures below the names of their columns."""
    width, height = TILE
    size = (len(columns) * (width + GAP) + GAP, LINE + len(rows) * (height + GAP) + GAP)
    drawn = Image.new("RGB", size, PAPER)
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default(size=14)
    for column, label in enumerate(columns):
        pen.text((GAP + column * (width + GAP), 3), label, fill=INK, font=font)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            shown = Image.fromarray(cv2.resize(picture, TILE, interpolation=cv2.INTER_CUBIC))
            drawn.paste(shown, (GAP + column * (width + GAP), LINE + row * (height + GAP)))
    return drawn


if __name__ == "__main__":
    main()
