"""What the report shows of one edit: videos, pictures, texts, metrics and curves, as plain values."""

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lib.core.files import read_json_or_nothing
from lib.core.progress import format_seconds
from lib.report.gallery import headline_figures
from lib.report.media import add_media, add_still, add_thumbnail
from lib.report.metric_labels import Metric, list_metrics
from lib.report.outcomes import SHARED
from lib.report.results import EditedVideo, read_losses

MAX_LOSS_POINTS = 400  # more cannot be told apart on the page
CONTROL_ROWS = {"vae_round_trip": "VAE round trip", "source_copy": "Unedited copy"}
STAGE_1_FACTS = ("layers", "learning_rate", "rank", "recoloured_share")  # settings that tell one training from another


def make_section(videos: Sequence[EditedVideo], results: Path, page: Path) -> dict[str, Any]:
    """Gather one edit's part of the page and put its media into the page's folder.

    Args:
        videos: the edited videos of one edit, one per method.
        page: the folder of the page.

    Returns:
        What the template shows, `drawn` what is drawn in the browser, and `id`, the edit's address in the page.
    """
    clip, edit = videos[0].clip, videos[0].edit
    clip_folder, edit_folder = results / clip, results / clip / edit
    source = read_json_or_nothing(clip_folder / "source_video.json")
    mask = read_json_or_nothing(edit_folder / "edit_mask.json")
    metrics = list_metrics(videos)
    return {
        "id": quote(os.fsencode(f"{clip}/{edit}")),
        "clip_name": videos[0].clip_name,
        "edit_name": videos[0].edit_name,
        "methods": videos,
        "size": f"{source['width']} × {source['height']}" if source else None,
        "aspect": aspect_of(source),
        "num_frames": len(source.get("times", [])),
        "fps": source.get("fps"),
        "has_audio": bool(source.get("source", {}).get("has_audio")),
        "mask": mask,
        "players": _list_players(videos, clip_folder, edit_folder, page),
        "pictures": _list_pictures(clip, edit, edit_folder, page),
        "thumbnail": add_thumbnail(edit_folder / "first_frame.png", page, clip, edit, "thumbnail.jpg"),
        "poster": add_still(clip_folder / "source_preview.mp4", page, clip, "source_preview.jpg"),
        "captions": _list_captions(edit_folder),
        "headlines": {video.method: headline_figures(video) for video in videos},
        "metrics": metrics,
        "rows": list_rows(videos),
        "drawn": {
            "times": relative_times(source),
            "charts": _loss_charts(clip_folder, edit_folder) + _frame_charts(videos, metrics, mask),
            "facts": _list_facts(videos, source, mask) + _list_starts(clip_folder, edit_folder),
        },
    }


def list_media(section: dict[str, Any]) -> list[str]:
    """Return the addresses of all files that an edit's part and rows show."""
    media = [entry["src"] for entry in (*section["players"], *section["pictures"])]
    return media + [section[still] for still in ("thumbnail", "poster") if section[still] is not None]


def list_rows(videos: Sequence[EditedVideo]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return label, kind and values of each row of an edit's metrics: one per method, then the controls.

    The control rows do not depend on the method, so they are taken from the first that has them.
    """
    rows = [
        (video.method_name if len(videos) > 1 else "Edited video", "edited", video.rows["edited"])
        for video in videos
        if "edited" in video.rows
    ]
    for kind in dict.fromkeys(kind for video in videos for kind in video.rows if kind != "edited"):
        label = CONTROL_ROWS.get(kind, kind.replace("_", " "))
        rows.append((label, kind, next(video.rows[kind] for video in videos if kind in video.rows)))
    return rows


def _list_players(
    videos: Sequence[EditedVideo], clip_folder: Path, edit_folder: Path, page: Path
) -> list[dict[str, Any]]:
    """Return an edit's videos: source and edited ones, to be looked at, then those that explain them."""
    clip, edit = clip_folder.name, edit_folder.name
    source = add_media(clip_folder / "source_preview.mp4", page, clip, "source_preview.mp4")
    mask = _add_from(edit_folder, "edit_mask_overlay.mp4", page, clip, edit)
    found: dict[str, list[tuple[str, str | None, str | None]]] = {
        "source": [("Source", None, source)],
        "edited": [],
        "mask": [("Edit mask", None, mask)],
        "difference": [],
    }
    for video in videos:
        suffix = f" · {video.method_name}" if len(videos) > 1 else ""
        for label, kind in (("Edited", "edited"), ("Difference", "difference")):
            address = _add_from(video.folder, f"{kind}.mp4", page, clip, edit, video.method)
            found[kind].append((label + suffix, video.method, address))
    return [
        {"label": label, "kind": kind, "method": method, "src": address}
        for kind, players in found.items()
        for label, method, address in players
        if address
    ]


def _list_pictures(clip: str, edit: str, edit_folder: Path, page: Path) -> list[dict[str, Any]]:
    first = _add_from(edit_folder, "first_frame.png", page, clip, edit)
    pictures: list[dict[str, Any]] = [{"label": "Edited first frame", "kind": "frame", "src": first}] if first else []
    for picture in sorted((edit_folder / "references").glob("*.png")):
        address = add_media(picture, page, clip, edit, "references", picture.name)
        label = f"Reference, source frame {int(picture.stem)}" if picture.stem.isdecimal() else picture.stem
        pictures.append({"label": label, "kind": "frame", "src": address})
    sheet = add_media(edit_folder / "edit_mask.png", page, clip, edit, "edit_mask.png")
    if sheet:
        pictures.append({"label": "Edit mask through the clip", "kind": "sheet", "src": sheet})
    return pictures


def _add_from(folder: Path, name: str, page: Path, *names: str) -> str | None:
    return add_media(folder / name, page, *names, name)


def _list_captions(edit_folder: Path) -> list[dict[str, str]]:
    """Return the prompts; that the edit was generated with, maybe the user's own; references may have theirs."""
    given = {"Source": edit_folder.parent / "caption.json", "Edit": edit_folder / "caption.json"}
    prompts = {label: read_json_or_nothing(path).get("prompt") for label, path in given.items()}
    for path in sorted((edit_folder / "encoded").glob("*.json"))[:1]:
        settings = read_json_or_nothing(path).get("settings", {})
        prompts["Edit"] = settings.get("prompt", prompts["Edit"])
        own = settings.get("reference_prompts", {})
        prompts |= {f"Reference at frame {position}": prompt for position, prompt in own.items()}
    return [{"label": label, "text": prompt} for label, prompt in prompts.items() if prompt]


def aspect_of(source: dict[str, Any]) -> float:
    """Return width / height as displayed, which pixels that are not square make differ from the stored size."""
    pixel_aspect = source.get("source", {}).get("pixel_aspect", 1)
    return round(float(source.get("width", 16) / source.get("height", 9) * pixel_aspect), 4)


def relative_times(source: dict[str, Any]) -> list[float]:
    """Return the frames' times in seconds since the first one that is used."""
    times = source.get("times", [])
    return [round(time - times[0], 4) for time in times]


def _loss_charts(clip_folder: Path, edit_folder: Path) -> list[dict[str, Any]]:
    found = [("The shared start", log) for log in sorted((clip_folder.parent / SHARED).glob("*.jsonl"))]
    found += [("Stage 1, decouple", log) for log in sorted(clip_folder.glob("lora/*/decouple.jsonl"))]
    found += [("Stage 1, this edit alone", log) for log in sorted(edit_folder.glob("lora/*/decouple.jsonl"))]
    found += [("Stage 2, appearance", log) for log in sorted(edit_folder.glob("lora/*/appearance.jsonl"))]
    charts = []
    for stage, log in found:
        steps, losses = read_losses(log)
        if not losses:
            continue
        every = math.ceil(len(losses) / MAX_LOSS_POINTS)
        charts.append(
            {
                "kind": "loss",
                "title": f"Loss · {stage} · mask “{log.stem if log.parent.name == SHARED else log.parent.name}”",
                "x": steps[::every],
                "lines": [{"label": "loss", "values": _compact(losses[::every])}],
            }
        )
    return charts


def _frame_charts(
    videos: Sequence[EditedVideo], metrics: Sequence[Metric], mask: dict[str, Any]
) -> list[dict[str, Any]]:
    charts = []
    for metric in metrics:
        lines = [
            {"label": label, "kind": kind, "values": _compact(values)}
            for label, kind, row in list_rows(videos)
            if (values := row.get("per_frame", {}).get(metric.name))
        ]
        if len(lines) > 1 and all(line["values"] == lines[0]["values"] for line in lines):
            lines = [{**lines[0], "label": "all rows alike"}]
        if any(value is not None for line in lines for value in line["values"]):
            unit = f" ({metric.unit})" if metric.unit else ""
            charts.append({"kind": "frames", "title": f"{metric.label}{unit}", "lines": lines})
    if mask.get("area_share"):
        lines = [{"label": "mask", "kind": "edited", "values": _compact(mask["area_share"])}]
        charts.append({"kind": "frames", "title": "Edit mask, share of the frame", "lines": lines})
    return charts


def _list_facts(
    videos: Sequence[EditedVideo], source: dict[str, Any], mask: dict[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    facts = [(f"Edited video · {video.method_name}", video.provenance) for video in videos]
    for video in videos:
        facts.append((f"First frame · {video.method_name}", video.measures.get("first_frame", {})))
        facts.append((f"Joins of windows · {video.method_name}", video.measures.get("joins", {})))
    stages = {stage.name: stage for video in videos for stage in video.stages}
    measured = {
        stage.title: f"{format_seconds(stage.seconds)}, {_format_memory(stage.max_memory)}"
        for stage in stages.values()
        if stage.seconds is not None
    }
    facts.append(("Time and peak memory of each stage", measured))
    facts.append(("Edit mask", {key: value for key, value in mask.items() if key != "area_share"}))
    facts.append(("Source video", {key: value for key, value in source.items() if key not in ("indices", "times")}))
    return [(title, values) for title, values in facts if values]


def _list_starts(clip_folder: Path, edit_folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Say of each stage-1 LoRA what it started from, and how far it went."""
    facts = []
    for path in [*sorted(clip_folder.glob("lora/*/decouple.json")), *sorted(edit_folder.glob("lora/*/decouple.json"))]:
        made = read_json_or_nothing(path)
        settings = made.get("settings", {})
        started = [given for given in made.get("inputs", {}) if Path(given).parent.name != "encoded"]
        training = {key: value for key, value in settings.get("training", {}).items() if key in STAGE_1_FACTS}
        start = {"starts from": started[0] if started else "a fresh LoRA", "steps": settings.get("num_steps")}
        facts.append((f"Stage 1 · mask “{path.parent.name}”", {**start, **training}))
    return facts


def _format_memory(mebibytes: float | None) -> str:
    return "memory not measured" if mebibytes is None else f"{mebibytes / 1024:.2f} GiB"


def _compact(values: Iterable[float | None]) -> list[float | None]:
    """Round to what a curve can show; JSON has no word for values that are not finite."""
    return [float(f"{value:.4g}") if value is not None and math.isfinite(value) else None for value in values]
