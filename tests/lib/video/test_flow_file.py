"""A flow in a file is the flow that is used without one, to the last bit, and takes little room."""

from pathlib import Path

import numpy as np

from lib.video.flow import flow_to_previous
from lib.video.flow_file import read_flows, rounded, write_flows
from tests.lib.video.example_videos import smooth_video


def test_rounded_flows_survive_their_file_bit_for_bit(tmp_path: Path) -> None:
    """Two flows in one file; far motion and standing still among them."""
    flow = rounded(flow_to_previous(smooth_video(4, 48, 64)))
    far = rounded(np.random.default_rng(0).uniform(-250, 250, flow.shape).astype(np.float32))
    write_flows(tmp_path / "motion.mkv", flow, far)
    first, second = read_flows(tmp_path / "motion.mkv", 2)
    assert np.array_equal(first, flow) and np.array_equal(second, far)
    assert first.dtype == np.float32 and np.abs(rounded(far) - far).max() == 0
    write_flows(tmp_path / "alone.mkv", flow)
    assert (tmp_path / "alone.mkv").stat().st_size < flow.nbytes / 4
