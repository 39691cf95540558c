"""What the gallery that opens the page shows of an edited video: source and edit side by side, and two figures."""

from dataclasses import dataclass
from typing import Any

from lib.report.metric_labels import KNOWN_METRICS, Metric, format_metric
from lib.report.results import EditedVideo

LONGEST_REASON = 240  # characters, of thousands of tiles; the edit's part has all of it


@dataclass(frozen=True)
class Headline:
    """A figure that the gallery shows, beside that of a control row, without which it says little.

    Args:
        control: the row to compare with.
        said: what that row is called beside the figure.
        meaning: of both, for people.
    """

    metric: Metric
    control: str
    said: str
    meaning: str


def _metric(name: str) -> Metric:
    return next(metric for metric in KNOWN_METRICS if metric.name == name)


HEADLINES = (
    Headline(
        _metric("clip_score"),
        "source_copy",
        "unedited",
        "how like the edited first frame it is, beside the unedited source",
    ),
    Headline(
        _metric("background_psnr"),
        "vae_round_trip",
        "VAE alone",
        "how little changed outside the mask, beside what the VAE alone keeps",
    ),
)
"""One says whether the edit is there, the other whether all else was left alone: either alone is easily had."""


def headline_figures(video: EditedVideo) -> dict[str, tuple[str, str]]:
    """Return a finished video's headline figures by metric, each with that of its control row, as they are shown."""
    if video.status != "done":
        return {}
    figures = {}
    for headline in HEADLINES:
        name, control = headline.metric.name, video.rows.get(headline.control, {}).get("mean", {})
        if name in video.edited_means:
            values = video.edited_means[name], control.get(name)
            figures[name] = (format_metric(values[0], headline.metric), format_metric(values[1], headline.metric))
    return figures


def make_source(section: dict[str, Any]) -> dict[str, Any]:
    """Return what the gallery draws of a clip's source, which all its edits share.

    Args:
        section: what the part of one of its edits shows.
    """
    source = {
        "aspect": section["aspect"],
        "frames": section["num_frames"],
        "fps": section["fps"],
        "poster": section["poster"],
        "video": next((player["src"] for player in section["players"] if player["kind"] == "source"), None),
    }
    return {key: value for key, value in source.items() if value}


def make_tile(video: EditedVideo, section: dict[str, Any]) -> dict[str, Any]:
    """Return what the gallery draws beside the row of the table; what is not there has no key, for thousands of tiles.

    Args:
        section: what the part of its edit shows.
    """
    videos = {(player["kind"], player["method"]): player["src"] for player in section["players"]}
    failure = video.failure
    tile = {
        "edited": videos.get(("edited", video.method)) if video.status == "done" else None,
        "figures": headline_figures(video),
        "failed": failure and [failure.name.split("/")[-1], (failure.reason or "")[:LONGEST_REASON]],
    }
    return {key: value for key, value in tile.items() if value}
