"""The slight change of all colours that image tools make by the way."""

import numpy as np
from numpy.typing import NDArray


def drift_colours(
    picture: NDArray[np.uint8], generator: np.random.Generator, most_gain: float, most_bias: float
) -> NDArray[np.uint8]:
    """Change each channel of a picture (height, width, 3) by a factor and an offset.

    Args:
        picture: to change.
        generator: of the changes.
        most_gain: largest departure of the factor from 1.
        most_bias: largest offset, levels of 255.
    """
    gain = generator.uniform(1 - most_gain, 1 + most_gain, 3)
    bias = generator.uniform(-most_bias, most_bias, 3)
    return (picture * gain + bias).round().clip(0, 255).astype(np.uint8)
