"""What every editor promises: a picture and words in, a picture of the same size out."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from lib.core.errors import InputError, Problem
from lib.video.arrays import Picture


class Editor(Protocol):
    """A model that edits a picture as an instruction says.

    Attributes:
        num_extra: how many further pictures it can be shown beside the one that it edits.
    """

    num_extra: int

    def edit(self, picture: Picture, instruction: str, seed: int, extra: Sequence[Picture] = ()) -> Picture:
        """Edit a picture.

        Args:
            picture: (height, width, 3) uint8 RGB of any size.
            instruction: what to change, in words.
            seed: of the noise; the same one makes the same picture on the same machine.
            extra: further pictures that the instruction may speak of, at most `num_extra`.

        Returns:
            The edited picture, of the same size.

        Raises:
            InputError: the model computed something that is no number.
        """
        ...


def to_picture(made: Any) -> Picture:
    """Turn what a pipeline made, (height, width, 3) floats in 0..1, into uint8.

    Raises:
        InputError: some of it is no number.
    """
    pixels = np.asarray(made, np.float32)
    if not np.isfinite(pixels).all():
        expected = "numbers: another model.dtype may help"
        raise InputError([Problem("editor.model", "a picture of values that are no numbers", expected)], "not_a_number")
    return np.asarray((pixels * 255).round().clip(0, 255), np.uint8)
