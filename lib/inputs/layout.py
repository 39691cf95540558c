"""Where a run's results lie, and which of them an edited video is made from.

Rules name what they write by patterns; what they read and cannot be named by a pattern is named here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from lib.config.methods import MethodSection
from lib.config.sections import MaskKind, MaskShape
from lib.config.settings import Config
from lib.inputs.clips import Clip
from lib.inputs.edits import Edit
from lib.inputs.lora_files import reused_lora

OWN = "own_"  # begins the name of a LoRA that is an edit's own
STAGES = ("decouple", "appearance")


@dataclass(frozen=True)
class Layout:
    """The results of a run.

    Attributes:
        results: the results folder.
        shape: of the run's masks, which are called `edit` in results.
        decouple_lora: the config's pattern of LoRAs of an earlier run.
        shared: the config's `training.shared`. clip_steps: of stage 1 from it, `shared.clip_steps`.
    """

    results: str
    shape: MaskShape
    decouple_lora: str | None
    shared: str = "none"
    clip_steps: int = 1

    def folder(self, *names: str) -> str:
        """Return the folder of a clip, of its edit, or of a method of that."""
        return "/".join((self.results, *names))

    def mask_name(self, kind: MaskKind) -> str:
        """Return what a kind of mask is called in results."""
        return "edit" if kind == self.shape else kind

    def mask(self, clip: Clip, edit: Edit, name: str) -> str:
        """Return the mask that a kind is drawn from; a user's own mask has only one shape."""
        is_shape = name in get_args(MaskShape) and not edit.user_masks
        folder = self.folder(clip.id, edit.id)
        return f"{folder}/masks/{name}.mkv" if is_shape else f"{folder}/edit_mask.mkv"

    def mask_facts(self, clip: Clip, edit: Edit, name: str) -> str:
        """Return what is known of that mask, beside it."""
        return self.mask(clip, edit, name).removesuffix(".mkv") + ".json"

    def encoded(self, clip: Clip, edit: Edit, method: MethodSection) -> str:
        """Return what a method generates an edit from."""
        return f"{self.folder(clip.id, edit.id)}/encoded/{self.mask_name(method.generate_mask)}.safetensors"

    def lora(self, clip: Clip, edit: Edit, method: MethodSection) -> str | None:
        """Return the LoRA that a method generates an edit with: that of stage 2 if it has references, or of stage 1."""
        if method.train_mask is None:
            return None
        if not method.clip_lora:
            return self.shared_lora(self.mask_name(method.train_mask))
        name = self._lora_name(clip, method.train_mask, method)
        if edit.references and method.references:
            return f"{self.folder(clip.id, edit.id)}/lora/{name}/appearance.safetensors"
        return self.stage_1_lora(clip.id, edit.id, name)

    def _lora_name(self, clip: Clip, mask: MaskKind, method: MethodSection) -> str:
        own = not method.shared_lora and len(clip.edits) > 1
        return f"{OWN if own else ''}{self.mask_name(mask)}"

    def made_lora(self, clip: Clip, edit: Edit, method: MethodSection) -> str | None:
        """Return the LoRA that a method generates an edit with, where the run makes it; None: a given one, or none."""
        lora, mask = self.lora(clip, edit, method), method.train_mask
        if lora is None or mask is None:
            return None
        folders = self.folder(clip.id), self.folder(clip.id, edit.id)
        name = self._lora_name(clip, mask, method)
        made = [f"{folder}/lora/{name}/{stage}.safetensors" for folder in folders for stage in STAGES]
        shared = [self.shared_lora(self.mask_name(mask))] if self.shared == "batch" else []
        return lora if lora in [*made, *shared] else None

    def stage_1_lora(self, clip: str, edit: str, name: str) -> str:
        """Return the LoRA of stage 1: the edit's own, one of an earlier run, the shared one, or the clip's."""
        if not name.startswith(OWN) and (reused := reused_lora(self.decouple_lora, clip, name)):
            return str(reused)
        if self.clip_steps == 0 and (shared := self.shared_lora(name.removeprefix(OWN))):
            return shared
        folder = self.folder(clip, edit) if name.startswith(OWN) else self.folder(clip)
        return f"{folder}/lora/{name}/decouple.safetensors"

    def shared_lora(self, mask: str) -> str | None:
        """Return the LoRA that stage 1 starts from, by the kind of mask.

        None: a fresh one, also where one for each kind is given and there is none of this one.
        """
        if self.shared == "none":
            return None
        if self.shared == "batch":
            return f"{self.folder('shared')}/{mask}.safetensors"
        path = self.shared.replace("{mask}", mask)
        return path if path == self.shared or Path(path).exists() else None

    def source_of_lora(self, clip: str, edit: str, name: str) -> str:
        """Return what stage 1 of a LoRA was trained on, which stage 2 repeats."""
        if name.startswith(OWN):
            return f"{self.folder(clip, edit)}/encoded/source_{name.removeprefix(OWN)}.safetensors"
        return f"{self.folder(clip)}/encoded/{name}.safetensors"


def masks_of_methods(settings: Config, layout: Layout) -> list[str]:
    """Return what the masks are called that the run's methods train LoRAs with."""
    methods = [settings.method(name) for name in settings.methods]
    return sorted({layout.mask_name(method.train_mask) for method in methods if method.train_mask})


def given_shared(settings: Config, layout: Layout) -> dict[str, Path]:
    """Return the shared LoRAs of an earlier run that this one is given, by the kind of mask."""
    if settings.training.shared in ("none", "batch"):
        return {}
    paths = {mask: layout.shared_lora(mask) for mask in masks_of_methods(settings, layout)}
    return {mask: Path(path) for mask, path in paths.items() if path}
