"""Pictures of a high dynamic range, as screens of a standard range show them.

HLG and PQ as in ITU-R BT.2100; white of the standard range at 75 % of an HLG signal and at 203 nits of PQ (ITU-R
BT.2408, table 1); what is brighter is rolled off below white, hue kept.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

HLG, PQ = "hlg", "pq"
TRANSFERS = {18: HLG, 16: PQ}  # FFmpeg's AVCOL_TRC_ARIB_STD_B67 and AVCOL_TRC_SMPTE2084
HLG_WHITE = 0.2650  # scene light of a signal of 75 %
PQ_WHITE_NITS, PQ_PEAK_NITS = 203.0, 10_000.0
KNEE = 0.9  # of white, above which highlights are compressed
TO_BT709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
"""Linear BT.2020 RGB to BT.709 (ITU-R BT.2087)."""


def to_standard_range(signal: NDArray[np.uint16], transfer: str) -> NDArray[np.uint8]:
    """Turn a picture (height, width, 3) of BT.2020 R'G'B', 16 bits full range, into sRGB of 8 bits.

    Args:
        signal: as decoded.
        transfer: HLG or PQ.
    """
    light = _light(signal.astype(np.float32) / 65535, transfer) @ TO_BT709.T.astype(np.float32)
    shown = _roll_off(np.maximum(light, 0))
    encoded = np.where(shown <= 0.0031308, 12.92 * shown, 1.055 * np.maximum(shown, 0.0031308) ** (1 / 2.4) - 0.055)
    return np.asarray((encoded * 255).round().clip(0, 255), np.uint8)


def _light(signal: NDArray[Any], transfer: str) -> NDArray[Any]:
    """Return linear light, 1 = white of the standard range."""
    if transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073  # BT.2100, table 5
        return np.asarray(np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12) / HLG_WHITE)
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875  # BT.2100, table 4
    power = signal ** (1 / m2)
    return np.asarray((np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) * (PQ_PEAK_NITS / PQ_WHITE_NITS))


def _roll_off(light: NDArray[Any]) -> NDArray[Any]:
    """Compress what is above the knee so that it stays below white; the three channels by one factor."""
    peak = light.max(axis=-1, keepdims=True)
    room = 1 - KNEE
    excess = np.maximum(peak - KNEE, 0)
    compressed = np.where(peak > KNEE, KNEE + room * excess / (excess + room), peak)
    return np.asarray(light * (compressed / np.maximum(peak, 1e-6)))
