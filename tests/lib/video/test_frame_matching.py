"""Frames of other tools' videos go with the clip's frames that they show, as published results have them."""

import pytest

from lib.video.frame_matching import Length, match_frames, own_frames

SOURCE, USED = Length(49, 25.0), list(range(49))


@pytest.mark.parametrize("rate", [25.0, 24.98])
def test_a_video_like_the_source_goes_frame_by_frame(rate: float) -> None:
    """The same number and rate, but for how it was written: nothing is told."""
    match = match_frames(Length(49, rate), SOURCE, USED)
    assert match is not None and match.frames == tuple(USED) and match.how == ""


def test_another_rate_of_as_many_frames_is_told() -> None:
    """49 frames published at 20 frames per second are those of a source at 25."""
    match = match_frames(Length(49, 20.0), SOURCE, USED)
    assert match is not None and match.frames == tuple(USED)
    assert "49 frames at 20 per second, taken one for one" in match.how


def test_fewer_frames_over_the_same_time_are_spread() -> None:
    """16 frames at 8 per second are 2 s, as 49 at 25 nearly are: each belongs to the frame of its time."""
    match = match_frames(Length(16, 8.0), SOURCE, USED)
    assert match is not None and len(match.frames) == 49
    own = [index for index, is_own in enumerate(own_frames(match.frames)) if is_own]
    assert own == [0, 3, 6, 9, 13, 16, 19, 22, 25, 28, 31, 34, 38, 41, 44, 47]
    assert [match.frames[index] for index in own] == list(range(16))
    assert match.frames[48] == 15 and "by time: measured at 16 of 49 frames, the last at 47" in match.how


def test_what_numbers_and_rates_do_not_tell_is_not_guessed() -> None:
    """21 frames of 2.5 s beside 1.96 s: refused, until the step is given."""
    assert match_frames(Length(21, 8.4), SOURCE, USED) is None
    match = match_frames(Length(21, 8.4), SOURCE, USED, step=1.85)
    assert match is not None
    own = [index for index, is_own in enumerate(own_frames(match.frames)) if is_own]
    assert own[:4] == [0, 2, 4, 6] and own[-1] == 37 and match.frames[48] == 20
    assert "1.85 frames of the clip apart: measured at 21 of 49 frames, the last at 37" in match.how


def test_a_video_of_the_whole_source_gives_the_frames_that_are_used() -> None:
    """Also where the run takes every other frame from the third on; and where the rate was lost."""
    used = [2, 4, 6, 8]
    for rate in (25.0, 8.0):
        match = match_frames(Length(49, rate), SOURCE, used)
        assert match is not None and match.frames == tuple(used)
        assert bool(match.how) == (rate == 8.0)


def test_a_video_of_the_runs_frames_goes_one_for_one() -> None:
    """Made from what the run uses, at the run's rate, where it skips frames."""
    match = match_frames(Length(4, 12.5), SOURCE, [2, 4, 6, 8])
    assert match is not None and match.frames == (0, 1, 2, 3) and match.how == ""


def test_a_shorter_video_of_the_same_rate_is_measured_as_far_as_it_goes() -> None:
    """16 of 49 frames at the source's rate are its first."""
    match = match_frames(Length(16, 25.0), SOURCE, USED)
    assert match is not None and sum(own_frames(match.frames)) == 16
    assert match.frames[:16] == tuple(range(16)) and set(match.frames[16:]) == {15}
    assert "measured at 16 of 49 frames, the last at 15" in match.how
    assert match_frames(Length(16, 25.0), SOURCE, list(range(3, 30))) is None, "from which frame on?"


def test_more_frames_over_the_same_time_are_thinned() -> None:
    """98 frames at 50 per second: every other one."""
    match = match_frames(Length(98, 50.0), SOURCE, USED)
    assert match is not None and match.frames == tuple(range(0, 98, 2)) and all(own_frames(match.frames))
