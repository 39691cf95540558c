"""What the methods of others are given of an edit: the same pixels, mask and words as ours."""

from pathlib import Path

from lib.core.files import read_json
from lib.masks.compositing import correct_edited
from lib.masks.refusals import refuse
from lib.stages.job import Files
from lib.video.arrays import DecodedVideo, Mask, Picture
from lib.video.reading import read_first_frame, read_mask, read_video


class Inputs(Files):
    """The pixels of clip and edit; the edited frame's caption, unless the user wrote a prompt."""

    first_frame: Path
    mask: Path
    mask_facts: Path
    video: Path
    facts: Path
    caption: Path | None = None

    @property
    def read(self) -> list[Path]:
        """The files whose hashes provenance tells."""
        return [self.first_frame, self.mask, self.video]


def read_edit(inputs: Inputs, how: str, prompt: str | None) -> tuple[DecodedVideo, Mask, Picture, str]:
    """Return the source, the edit's mask, its first frame and its prompt, without a trigger word.

    Args:
        inputs: of the stage.
        how: `mask.correct_edited`.
        prompt: the user's own; None: the caption.
    """
    refuse([inputs.mask_facts])
    source, mask = read_video(inputs.video), read_mask(inputs.mask)
    first_frame = correct_edited(read_first_frame(inputs.first_frame), source[0], mask[0], how)
    if prompt is None:
        assert inputs.caption, "without a prompt of the user's the rule gives a caption"
        prompt = str(read_json(inputs.caption)["caption"])
    return source, mask, first_frame, prompt
