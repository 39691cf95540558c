"""What made a file stands beside it."""

from pathlib import Path

import torch

from lib.core.provenance import STAGE_VERSIONS, describe


def test_provenance_names_versions_settings_and_hashes(tmp_path: Path) -> None:
    """Folders are hashed file by file; every stage has a version."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_bytes(b"abc")
    made = describe("generate", {"seed": 3}, [tmp_path / "folder"], [])
    assert made["settings"] == {"seed": 3} and made["stage_version"] == STAGE_VERSIONS["generate"]
    assert made["inputs"][str(tmp_path / "folder" / "a")].startswith("ba7816bf")
    assert made["versions"]["torch"] == torch.__version__
