"""What the gallery shows of each edited video, as plain values."""

import json
from pathlib import Path
from urllib.parse import quote, unquote

import cv2
import numpy as np
import pytest

from lib.report.gallery import HEADLINES, LONGEST_REASON, headline_figures, make_source, make_tile
from lib.report.results import read_edited_videos
from lib.report.sections import make_section
from lib.video.writing import write_viewable
from tests.lib.report.example_batch import CAR, DOG, EXPECTED, LATER, draw_video, times, write_log


def tile_of(results: Path, *video: str) -> dict:
    """Return the tile of an edited video, with its source, from its files."""
    (found,) = read_edited_videos(results, [video], {})
    section = make_section([found], results, results / "report")
    return {**make_tile(found, section), "source": make_source(section)}


def test_a_finished_edit_is_shown_beside_its_source(results: Path) -> None:
    """Both videos and a still of the source are in the page's folder, at the addresses given."""
    tile = tile_of(results, CAR, "red car", "base")
    names = {"source": f"{CAR}/source_preview.mp4", "edited": f"{CAR}/red car/base/edited.mp4"}
    for name, address in ((names["source"], tile["source"]["video"]), (names["edited"], tile["edited"])):
        assert address == f"media/{quote(name)}"
        assert (results / "report" / unquote(address)).samefile(results / name)
    source = tile["source"]
    assert (results / "report" / unquote(source["poster"])).read_bytes()[:3] == b"\xff\xd8\xff", "a JPEG"
    assert (source["aspect"], source["frames"], source["fps"]) == (round(64 / 48, 4), 5, 16)
    assert "failed" not in tile


def test_two_figures_stand_beside_their_controls(results: Path) -> None:
    """The CLIP score beside that of the unedited source, the background's PSNR beside that of the VAE alone."""
    means = {
        row: values["mean"]
        for row, values in json.loads((results / CAR / "red car/base/metrics.json").read_text())["rows"].items()
    }
    expected = {
        "clip_score": (f"{means['edited']['clip_score']:.3f}", f"{means['source_copy']['clip_score']:.3f}"),
        "background_psnr": (
            f"{means['edited']['background_psnr']:.2f}",
            f"{means['vae_round_trip']['background_psnr']:.2f}",
        ),
    }
    assert tile_of(results, CAR, "red car", "base")["figures"] == expected
    assert [headline.metric.name for headline in HEADLINES] == list(expected)


def test_a_figure_that_was_not_measured_is_left_out(results: Path) -> None:
    """A metric that is missing costs the other nothing, and a missing control row is a dash."""
    path = results / CAR / "red car" / "base" / "metrics.json"
    metrics = json.loads(path.read_text())
    del metrics["rows"]["edited"]["mean"]["clip_score"], metrics["rows"]["vae_round_trip"]
    path.write_text(json.dumps(metrics))
    (video,) = read_edited_videos(results, [(CAR, "red car", "base")], {})
    assert headline_figures(video) == {
        "background_psnr": (f"{metrics['rows']['edited']['mean']['background_psnr']:.2f}", "–")
    }


def test_a_failed_edit_has_its_reason_instead_of_a_video(results: Path) -> None:
    """What an earlier run, or a stage before the one that failed, left is not shown as the result."""
    video = (DOG, "hat & scarf?", "mask_lora")
    write_log(results, "/".join((*video, "evaluate")), f"failed: {'no memory ' * 99}")
    edited = results.joinpath(*video, "edited.mp4")
    edited.parent.mkdir(parents=True, exist_ok=True)
    write_viewable(edited, draw_video(5, (48, 64), (9, 9, 9)), times(5), crf=18)
    tile = tile_of(results, *video)
    assert "edited" not in tile and "figures" not in tile and "video" in tile["source"]
    stage, reason = tile["failed"]
    assert stage == "evaluate" and reason.startswith("no memory no memory") and len(reason) == LONGEST_REASON


def test_what_has_not_begun_has_a_tile(results: Path) -> None:
    """Without any file there is nothing to show, and nothing that takes room in a page of thousands."""
    assert tile_of(results, LATER, "not yet", "mask_lora") == {"source": {"aspect": pytest.approx(16 / 9, abs=1e-3)}}


def test_the_still_follows_its_video(results: Path) -> None:
    """It is the source's first frame, made once, anew for a new source, and none of what no decoder can read."""
    video, source = EXPECTED[0], results / CAR / "source_preview.mp4"
    still = results / "report" / unquote(tile_of(results, *video)["source"]["poster"])
    before = still.stat().st_ino
    picture = cv2.imdecode(np.frombuffer(still.read_bytes(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    wanted = draw_video(1, (48, 64), (70, 90, 120))[0].mean(axis=(0, 1))
    assert picture.mean(axis=(0, 1)) == pytest.approx(wanted, abs=6)
    tile_of(results, *video)
    assert still.stat().st_ino == before
    source.write_bytes(source.read_bytes()[:300])
    assert "poster" not in tile_of(results, *video)["source"]
