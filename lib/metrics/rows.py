"""An edited video's metrics beside two control rows, which say what the figures can reach."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from lib.metrics.boundary import background_jump, first_frame_drift
from lib.metrics.per_frame import mean_score
from lib.metrics.similarity import ClipEncoder, embed_frames
from lib.metrics.source import SourceMeasures
from lib.metrics.video import OF_NEIGHBOURS, evaluate_video
from lib.video.arrays import DecodedVideo, Mask, Picture
from lib.video.windows import Windows


def describe_first_frame(
    edited: DecodedVideo, source: DecodedVideo, given: Picture, used: Picture, edit_mask_dilated: Mask
) -> dict[str, float | None]:
    """Say how far the edited first frame departs from the source outside the mask, and how that shows afterwards.

    Args:
        edited, source: (frames, height, width, 3) uint8 RGB.
        given, used: the edited first frame as the user gave it, and as corrected; (height, width, 3).
        edit_mask_dilated: (frames, height, width).

    Returns:
        All in levels of 0 to 255: mean departure of the frame as given and as used; change of the background from
        frame 0 to frame 1 that the source does not make, in the edited video, and as if it began with the frame as
        given. None where there is no background or no frame 1.
    """
    starts = [np.stack([first, *edited[1:2]]) for first in (edited[0], given)]
    jumps = [background_jump(start, source[:2], edit_mask_dilated[:2])[-1] for start in starts]
    drifts = [first_frame_drift(frame, source[0], edit_mask_dilated[0]) for frame in (given, used)]
    names = ("drift_as_given", "drift_as_used", "jump_to_frame_1", "jump_to_frame_1_from_frame_as_given")
    return dict(zip(names, [*drifts, *jumps], strict=True))


def describe_joins(metrics: dict[str, Any], windows: Windows) -> dict[str, Any]:
    """Say whether a long clip's windows show: warp error above the source's where one begins, and elsewhere.

    Args:
        metrics: of `lib.metrics.video.evaluate_video`.
        windows: of `lib.video.windows.plan_windows`.

    Returns:
        Frames at which a later window takes over, and the two means; nothing for a clip of one window.
    """
    joins = [stop for _, stop in windows[:-1]]
    values = zip(metrics["per_frame"]["warp_error"], metrics["per_frame"]["source_warp_error"], strict=True)
    excess = [None if made is None or true is None else made - true for made, true in values]
    at_joins = [excess[frame] for frame in joins]
    elsewhere = [value for frame, value in enumerate(excess) if frame not in joins]
    means = {"excess_warp_error_at_joins": mean_score(at_joins), "elsewhere": mean_score(elsewhere)}
    return {"frames": joins, **means} if joins else {}


def keep_own(metrics: dict[str, Any], own: Sequence[bool]) -> dict[str, Any]:
    """Leave out what was measured where a video has no frame of its own, and only still shows the one before.

    Args:
        metrics: of `lib.metrics.video.evaluate_video`.
        own: of `lib.video.frame_matching.own_frames`. A metric of two neighbours counts where both are, and nowhere in
            a video whose frames are further apart than the clip's: what moves between them moves for longer.
    """
    end = own.index(False) if False in own else len(own)
    is_sparse = any(own[end:])
    both = [False, *(before and here and not is_sparse for before, here in pairwise(own))]
    per_frame = {
        name: [
            score if counts else None
            for score, counts in zip(scores, both if name in OF_NEIGHBOURS else own, strict=True)
        ]
        for name, scores in metrics["per_frame"].items()
    }
    return {"mean": {name: mean_score(scores) for name, scores in per_frame.items()}, "per_frame": per_frame}


def evaluate_rows(
    edited: DecodedVideo,
    source: DecodedVideo,
    round_trip: DecodedVideo,
    edited_first_frame: Picture,
    edit_mask: Mask,
    *,
    background_dilation: int,
    clip: ClipEncoder,
    measures: SourceMeasures,
) -> dict[str, Any]:
    """Measure the edited video, the VAE round trip of the source, and the source as if it were the output.

    The round trip is the ceiling of any method that does not paste the background back; the unedited copy is
    perfect in background and input similarity, which shows what those figures cannot tell.

    Args:
        edited, source: (frames, height, width, 3) uint8 RGB.
        round_trip: the source, encoded and decoded, of the same shape.
        edited_first_frame: (height, width, 3) uint8 RGB.
        edit_mask: (frames, height, width), True = edit.
        background_dilation: pixels by which the mask is grown before the background is measured.
        clip: of `lib.metrics.similarity.load_clip`.
        measures: of the source, by the same CLIP.

    Returns:
        `lib.metrics.video.evaluate_video` of each row, by name: edited, vae_round_trip, source_copy.
    """
    rows = {
        "edited": (edited, embed_frames(edited, clip)),
        "vae_round_trip": (round_trip, measures.round_trip_embeddings),
        "source_copy": (source, measures.source_embeddings),
    }
    of_first_frame = embed_frames(edited_first_frame[np.newaxis], clip)
    return {
        name: evaluate_video(
            video,
            source,
            edit_mask,
            output_embeddings=embeddings,
            source_embeddings=measures.source_embeddings,
            edited_embedding=of_first_frame,
            background_dilation=background_dilation,
            source_motion=(measures.flows, measures.visible),
        )
        for name, (video, embeddings) in rows.items()
    }
