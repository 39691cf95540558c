"""Which source frames are edited, and the overlapping windows that a clip longer than the model's is edited in."""

Windows = list[tuple[int, int]]
"""First frame and first frame after the end of each window."""


def plan_windows(num_frames: int, window: int, overlap: int) -> Windows:
    """Cover a clip with windows of one length, each beginning within the one before.

    Args:
        num_frames: of the clip, at least `window`.
        window: frames of each.
        overlap: least number of frames that a window shares with the one before; the last shares more if need be.

    Returns:
        If all three numbers are 4N+1, or kN+1 of another k, so is every overlap.
    """
    if num_frames == window:
        return [(0, window)]
    assert num_frames > window > overlap > 0, (num_frames, window, overlap)
    starts = [*range(0, num_frames - window, window - overlap), num_frames - window]
    return [(start, start + window) for start in starts]


def usable_frames(available: int, window: int, overlap: int, max_windows: int, frame_stride: int) -> int:
    """Return how many of a clip's frames are edited, at least `window`.

    Args:
        available: frames of the clip that could be used.
        window, overlap, max_windows: see the config's video section.
        frame_stride: of the model; the number of frames is a multiple of it and one.
    """
    most = window + (max_windows - 1) * (window - overlap)
    used = min(available, most)
    return max(window, (used - 1) // frame_stride * frame_stride + 1)


def sample_indices(start: int, stride: int, num_frames: int) -> list[int]:
    """Return the 0-based source indices of the frames to edit."""
    return list(range(start, start + stride * num_frames, stride))
