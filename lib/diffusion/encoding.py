"""Run the heavy encoders once: tensors for training and generation, kept as safetensors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file

from lib.config.sections import ReferenceContext
from lib.core.files import whole_file
from lib.diffusion.conditioning import make_keep_mask, make_reference_keep_mask, put_first
from lib.diffusion.recolouring import recolour_video
from lib.models.base import Conditioning, Sample, VideoModel
from lib.video.arrays import DecodedVideo, to_model_video
from lib.video.windows import Windows

Encoded = dict[str, dict[str, torch.Tensor]]
"""Groups of tensors, each a Conditioning or a Sample.

Of a clip `source`, `recoloured_01` ..., the same for each later window with `_window_01` ... after the name; of an
edit `generation`, `negative`, `reference_00024` ...
"""

LATENTS = "latents"
SOURCE, RECOLOURED, REFERENCE = "source", "recoloured", "reference"


def encode_source(
    model: VideoModel,
    source_video: DecodedVideo,
    edit_mask: NDArray[np.bool_],
    prompt: str,
    mask_kind: str,
    num_recoloured: int = 0,
    recoloured_prompt: str = "",
    windows: Windows | None = None,
) -> Encoded:
    """Encode the samples of stage 1: the source clip, shown its own frame 0 and caption, and recoloured copies.

    Args:
        model: with its VAE and encoders loaded.
        source_video: (frames, height, width, 3) uint8 RGB.
        edit_mask: (frames, height, width), the union over the clip's edits.
        prompt: trigger word and source caption.
        mask_kind: see `lib.diffusion.conditioning.make_keep_mask`.
        num_recoloured: copies; see `lib.diffusion.recolouring`.
        recoloured_prompt: of the copies, which names no colours.
        windows: of `lib.video.windows.plan_windows`, each a sample of its own; None: the clip is one.
    """

    encoded = {}
    for number, (start, stop) in enumerate(windows or [(0, len(source_video))]):
        video, mask, place = source_video[start:stop], edit_mask[start:stop], f"_window_{number:02d}" if number else ""
        encoded[f"{SOURCE}{place}"] = encode_clip(model, video, mask, prompt, mask_kind)
        for copy in range(1, num_recoloured + 1):
            recoloured = recolour_video(video, copy)
            encoded[f"{RECOLOURED}_{copy:02d}{place}"] = encode_clip(
                model, recoloured, mask, recoloured_prompt, mask_kind
            )
    return encoded


def encode_clip(
    model: VideoModel, video: DecodedVideo, edit_mask: NDArray[np.bool_], prompt: str, mask_kind: str
) -> dict[str, torch.Tensor]:
    """Encode a window of a source clip as a sample, shown its own first frame; see `encode_source`."""
    shown = to_model_video(video)
    keep_mask = make_keep_mask(mask_kind, edit_mask, model.frame_stride)
    conditioning = model.encode_conditioning(prompt, shown, keep_mask, shown[:, :, :1])
    return {LATENTS: model.encode_video(shown), **conditioning}


def encode_edit(
    model: VideoModel,
    source_video: DecodedVideo,
    edited_first_frame: NDArray[np.uint8],
    references: Mapping[int, NDArray[np.uint8]],
    edit_mask: NDArray[np.bool_],
    prompt: str,
    negative_prompt: str,
    mask_kind: str,
    reference_sample: str = "still",
    image_context: str = "edited",
    reference_context: ReferenceContext = "generation",
    reference_prompts: Mapping[int, str] | None = None,
    window: int | None = None,
) -> Encoded:
    """Encode what an edit is generated from, and one sample of stage 2 for each reference.

    Args:
        model, source_video, mask_kind: as in `encode_source`.
        edited_first_frame: (height, width, 3) uint8 RGB.
        references: edited frames by their position in source_video.
        edit_mask: (frames, height, width), this edit's own.
        prompt: trigger word and the edited frame's caption.
        negative_prompt: what guidance steers away from.
        reference_sample: `still`, a clip of one frame, or `placed`, which also tells when the reference is seen;
            after the first window all are still, as each window begins its time anew.
        image_context: `edited` or `source`: whose frame 0 the image encoder is shown.
        reference_context: what it is shown beside a still reference. `generation`: the same; `source`: the source's
            frame 0; `own`: the source frame at the reference's position, as the paper's authors do.
        reference_prompts: of the references' samples, by position; None: `prompt`, as in generation.
        window: frames of the first window; None: all.
    """
    video, length = to_model_video(source_video), window or len(source_video)
    first_frame = to_model_video(edited_first_frame[np.newaxis])
    context = first_frame if image_context == "edited" else video[:, :, :1]
    keep_mask = make_keep_mask(mask_kind, edit_mask[:length], model.frame_stride)
    condition_video = put_first(first_frame, video[:, :, :length])
    generation = model.encode_conditioning(prompt, condition_video, keep_mask, context)
    encoded: Encoded = {"generation": generation, "negative": model.encode_prompt(negative_prompt)}
    for position, reference in sorted(references.items()):
        picture, words = to_model_video(reference[np.newaxis]), (reference_prompts or {}).get(position, prompt)
        if reference_sample == "placed" and position < length:
            shown = generation if words == prompt else {**generation, **model.encode_prompt(words, context)}
            sample = _encode_placed(model, first_frame, picture, position, shown)
        else:
            still_mask = make_reference_keep_mask(mask_kind, edit_mask[position])
            source_frame = video[:, :, position : position + 1]
            contexts = {"generation": context, "source": video[:, :, :1], "own": source_frame}
            sample = _encode_still(model, contexts[reference_context], picture, source_frame, still_mask, words)
        encoded[f"{REFERENCE}_{position:05d}"] = sample
    return encoded


def _encode_still(
    model: VideoModel,
    context: torch.Tensor,
    reference: torch.Tensor,
    source_frame: torch.Tensor,
    keep_mask: torch.Tensor,
    prompt: str,
) -> dict[str, torch.Tensor]:
    """Encode a reference as the paper does: alone, so that no motion is made up ("Appearance control").

    Pictures are model videos of one frame, keep_mask is `make_reference_keep_mask`'s.
    """
    conditioning = model.encode_conditioning(prompt, source_frame, keep_mask, context)
    return {LATENTS: model.encode_video(reference), **conditioning}


def _encode_placed(
    model: VideoModel, first_frame: torch.Tensor, reference: torch.Tensor, position: int, generation: Conditioning
) -> dict[str, torch.Tensor]:
    """Encode a reference as it stands in the edited clip: after the edited frame 0, at its own time.

    Alone, a frame cannot say when it is seen: attention knows positions only from one frame to another. Here the
    sample is two latent frames of the clip to be generated, the first one and the reference's, shown what
    generation is shown there. Not in the paper; what it gains is in docs/sweeps.md.

    Args:
        model: with its VAE loaded.
        first_frame, reference: edited, model videos of one frame.
        position: of the reference in the clip, above 0.
        generation: the Conditioning of the whole clip, with the sample's prompt.
    """
    assert position > 0
    # A latent frame after the first holds several frames and must look so: the reference, standing still.
    still = model.encode_video(reference.repeat(1, 1, 1 + model.frame_stride, 1, 1))[:, :, 1:]
    place = (position - 1) // model.frame_stride + 1
    latents = torch.cat([model.encode_video(first_frame), still], dim=2)
    return {LATENTS: latents, **model.select_frames(generation, [0, place])}


def save_encoded(encoded: Encoded, path: Path) -> None:
    """Write groups of tensors to one safetensors file, whole or not at all."""
    tensors = {
        # A copy of each: groups may share a tensor, such as the prompt's, which safetensors refuses to write.
        f"{group}/{name}": tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for group, members in encoded.items()
        for name, tensor in members.items()
    }
    with whole_file(path) as temporary:
        save_file(tensors, temporary)


def load_encoded(path: Path, device: torch.device) -> Encoded:
    """Read what `save_encoded` wrote."""
    encoded: Encoded = {}
    with safe_open(path, framework="pt", device=str(device)) as opened:
        for key in opened.keys():  # noqa: SIM118, not a mapping
            group, name = key.split("/")
            encoded.setdefault(group, {})[name] = opened.get_tensor(key)
    return encoded


def largest_latents(path: Path, kind: str = "") -> tuple[int, ...]:
    """Return the shape of the largest samples' latents in a file, (1, channels, latent frames, height, width), unread.

    Args:
        path: of `save_encoded`.
        kind: of the groups looked at; empty: all.
    """
    with safe_open(path, framework="pt") as opened:
        names = [key for key in opened.keys() if key.startswith(kind) and key.endswith(f"/{LATENTS}")]  # noqa: SIM118
        shapes = [tuple(opened.get_slice(name).get_shape()) for name in names]
    return max(shapes, key=math.prod)


def largest_batch(source: Path, edit: Path | None, reference_draws: int) -> tuple[int, ...]:
    """Return the shape of the largest latents that a training step is about, unread; see `load_samples`.

    Args:
        source, edit: as there.
        reference_draws: see `lib.training.schedule.make_schedule`.
    """
    shapes = [largest_latents(source)]
    if edit:
        _, *shape = largest_latents(edit, REFERENCE)
        shapes.append((reference_draws, *shape))
    return max(shapes, key=math.prod)


@dataclass(frozen=True)
class Samples:
    """What a LoRA is trained on, by kind.

    Attributes:
        source: the clip's windows, at least one.
        recoloured: their copies in other colours.
        references: the edit's, by their position; none in stage 1.
    """

    source: list[Sample]
    recoloured: list[Sample]
    references: list[Sample]

    @property
    def in_order(self) -> list[Sample]:
        """All of them, as a schedule counts them."""
        return [*self.source, *self.recoloured, *self.references]

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many there are of each kind, in that order."""
        return len(self.source), len(self.recoloured), len(self.references)


def load_samples(source: Path, edit: Path | None, device: torch.device) -> Samples:
    """Load what a LoRA is trained on.

    Args:
        source, edit: files of `encode_source` and `encode_edit`; edit is None in stage 1.
        device: where the tensors go.
    """
    groups = {**load_encoded(source, device), **(load_encoded(edit, device) if edit else {})}
    kinds: dict[str, list[Sample]] = {SOURCE: [], RECOLOURED: [], REFERENCE: []}
    for name in sorted(groups):
        kind = name.partition("_")[0]
        if kind in kinds:
            kinds[kind].append(sample_of(groups[name]))
    return Samples(source=kinds[SOURCE], recoloured=kinds[RECOLOURED], references=kinds[REFERENCE])


def sample_of(group: Mapping[str, torch.Tensor]) -> Sample:
    """Split a group into the latents to learn and the conditioning."""
    conditioning: Conditioning = {name: tensor for name, tensor in group.items() if name != LATENTS}
    return Sample(group[LATENTS], conditioning)
