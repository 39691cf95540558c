"""Check files of a denoiser's weights by their headers, before any job; torch-free."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lib.config.families import Family, without_prefix
from lib.config.sections import WeightStore
from lib.core.errors import InputError, Problem
from lib.inputs.checkpoints import TRANSFORMER_FILE, checkpoint_file, read_config, resolve_path
from lib.inputs.gguf_header import SUFFIX, is_gguf, read_gguf_header
from lib.inputs.lora_files import read_header

KEY = "model.transformer_files"


def check_transformer_files(
    files: Sequence[str], model: str, family: Family, weights: WeightStore = "native"
) -> list[Problem]:
    """Return what is wrong with the files of the run's denoisers.

    Args:
        files: of `model.transformer_files`; none: the folder's weights are used.
        model: folder or hub id that the rest comes from.
        family: of the model.
        weights: how the run keeps them.
    """
    if weights == "gguf" and not (files and all(is_gguf(Path(path)) for path in files)):
        found = f"'gguf', with {', '.join(files) or 'no file'} in {KEY}"
        return [Problem("model.weights", found, f"GGUF files alone there ({SUFFIX}), or native, fp8, fp8_products")]
    if not files:
        return []
    if family.file_shapes is None:
        return [Problem(KEY, "files, for a family whose weights are read from a folder alone", "none, or family wan")]
    if len(files) != len(family.experts):
        told = f"{len(files)} file(s), for a model of {len(family.experts)} denoiser(s)"
        return [Problem(KEY, told, f"one for each of {', '.join(family.experts)}, in this order")]
    config = checkpoint_file(model, TRANSFORMER_FILE)
    if config is None:
        return []  # that the model is missing is told already
    try:
        expected = family.file_shapes(read_config(config))
    except (InputError, KeyError, TypeError):
        return []  # that the folder is wrong is told already
    return [problem for path in files for problem in _check_file(Path(resolve_path(path)), expected, family)]


def _check_file(path: Path, expected: Mapping[str, tuple[int, ...]], family: Family) -> list[Problem]:
    architecture = None
    try:
        if is_gguf(path):
            header = read_gguf_header(path)
            shapes = {name: tensor.shape for name, tensor in header.tensors.items()}
            architecture = header.architecture
        else:
            shapes, _ = read_header(path)
    except InputError as error:
        if is_gguf(path):
            return error.problems
        right = f"a .safetensors or {SUFFIX} file of a denoiser's weights"
        return [Problem(str(path), one.found, right) for one in error.problems]
    found = {without_prefix(name): shape for name, shape in shapes.items()}
    own = {f".{diffusers}.": f".{original}." for diffusers, original in family.original_layers.items()}
    for name, shape in list(found.items()):
        for diffusers, original in own.items():
            if diffusers in name:
                found[name.replace(diffusers, original)] = shape
    wrong = [name for name, shape in expected.items() if found.get(name) != shape]
    if not wrong:
        return []
    first = wrong[0]
    told = f"{found[first]} numbers in {first}" if first in found else f"no {first}"
    more = f", and {len(wrong) - 1} other weights that do not fit" if len(wrong) > 1 else ""
    more += f", in a file that calls its model '{architecture}'" if architecture else ""
    right = f"the weights of the model in model.name, whose {first} is {expected[first]}"
    return [Problem(str(path), told + more, right)]
