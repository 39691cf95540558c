"""Read the header of a GGUF file: names, shapes, types and places of its tensors; nothing else of it, and torch-free.

The format is https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; of its types those that diffusers can unpack.
"""

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lib.core.errors import InputError, Problem

SUFFIX = ".gguf"
EXPECTED = "a GGUF file of a denoiser's weights"

KINDS = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    20: ("IQ4_NL", 32, 18),
    23: ("IQ4_XS", 256, 136),
    30: ("BF16", 1, 2),
}
"""Of each type by its number: its name, and how many numbers make a block of how many bytes."""

PLAIN = ("F32", "F16", "BF16")  # types whose numbers stand each for itself

OTHER_KINDS = {
    9: "Q8_1",
    15: "Q8_K",
    16: "IQ2_XXS",
    17: "IQ2_XS",
    18: "IQ3_XXS",
    19: "IQ1_S",
    21: "IQ3_S",
    22: "IQ2_S",
    29: "IQ1_M",
    34: "TQ1_0",
    35: "TQ2_0",
    39: "MXFP4",
    40: "NVFP4",
}
"""Names of types that are not read."""

ARCHITECTURE, ALIGNMENT = "general.architecture", "general.alignment"
TRUE_SHAPE = "comfy.gguf.orig_shape."  # before a tensor's name: what it was before it was written as another (city96)
VALUES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, ARRAY = 8, 9  # and these, of metadata
MAX_DIMENSIONS = 8
MAX_HEADER_BYTES = 100_000_000


@dataclass(frozen=True)
class GgufTensor:
    """Where a tensor is in its file, and as what.

    Attributes:
        shape: as PyTorch has it, rows first.
        kind: name of its type, see KINDS.
        start: its first byte in the file.
        num_bytes: that it takes there.
    """

    shape: tuple[int, ...]
    kind: str
    start: int
    num_bytes: int


@dataclass(frozen=True)
class GgufHeader:
    """What a file says of itself.

    Attributes:
        architecture: what it calls its kind of model, such as `wan`; None: it does not say.
        tensors: by name.
    """

    architecture: str | None
    tensors: Mapping[str, GgufTensor]


def is_gguf(path: Path) -> bool:
    """Tell by its name whether a file is taken for GGUF."""
    return path.suffix.lower() == SUFFIX


def block_of(kind: str) -> tuple[int, int]:
    """Return how many numbers of a type make a block, and its bytes."""
    return next((numbers, size) for name, numbers, size in KINDS.values() if name == kind)


def read_gguf_header(path: Path) -> GgufHeader:
    """Read what a file holds.

    Raises:
        InputError: there is no such file, it is of another format or cut off, or a type in it cannot be read.
    """
    try:
        if not path.is_file():
            raise _refusal(path, "a folder" if path.is_dir() else "no file", EXPECTED)
        size = path.stat().st_size
        with path.open("rb") as opened:
            if opened.read(4) != b"GGUF":
                raise _refusal(path, f"{size} bytes that are no GGUF file", EXPECTED)
            return _read(path, opened, size)
    except OSError as error:
        raise _refusal(path, f"a file that cannot be read ({error.strerror})", EXPECTED) from error
    except EOFError:
        whole = "the whole file: copy or download it again"
        raise _refusal(path, f"a file of {size} bytes that ends within its header", whole) from None
    except (ValueError, OverflowError) as error:
        whole = "the file as it was written: copy or download it again"
        raise _refusal(path, f"a damaged GGUF header ({error})", whole) from error


def _read(path: Path, opened: BinaryIO, size: int) -> GgufHeader:
    version = _number(opened, "I")
    if version not in (2, 3):
        raise _refusal(path, f"version {version} of GGUF, or numbers in the other byte order", "version 2 or 3")
    num_tensors, num_settings = _number(opened, "Q"), _number(opened, "Q")
    settings: dict[str, Any] = {}
    for _ in range(num_settings):
        name = _text(opened)
        settings[name] = _value(opened, _number(opened, "I"))
    infos = [_tensor_info(opened) for _ in range(num_tensors)]
    alignment = settings.get(ALIGNMENT, 32)
    if not isinstance(alignment, int) or alignment < 8 or alignment % 8:
        raise ValueError(f"{ALIGNMENT} {alignment!r}")
    data = -(-opened.tell() // alignment) * alignment
    tensors: dict[str, GgufTensor] = {}
    for name, stored_shape, number, offset in infos:
        if number not in KINDS:
            told = f"weights of type {OTHER_KINDS.get(number, number)}, such as {name}"
            raise _refusal(path, told, "one of " + ", ".join(kind for kind, _, _ in KINDS.values()))
        kind, block, block_bytes = KINDS[number]
        if name in tensors or not stored_shape or stored_shape[-1] % block:
            raise ValueError(f"{name}, {kind}, {list(stored_shape)}")
        shape = settings.get(TRUE_SHAPE + name, stored_shape)
        count = math.prod(stored_shape)
        if not isinstance(shape, tuple) or math.prod(shape) != count:
            raise ValueError(f"{TRUE_SHAPE}{name} {shape!r} for {list(stored_shape)}")
        tensors[name] = GgufTensor(shape, kind, data + offset, count // block * block_bytes)
    needed = max((tensor.start + tensor.num_bytes for tensor in tensors.values()), default=0)
    if needed > size:
        told = f"{needed} bytes, as its header says: copy or download it again"
        raise _refusal(path, f"a file of {size} bytes", told)
    architecture = settings.get(ARCHITECTURE)
    return GgufHeader(architecture if isinstance(architecture, str) else None, tensors)


def _tensor_info(opened: BinaryIO) -> tuple[str, tuple[int, ...], int, int]:
    """Read name, shape, number of the type, and place after the header's end."""
    name, num_dimensions = _text(opened), _number(opened, "I")
    if num_dimensions > MAX_DIMENSIONS:
        raise ValueError(f"{name} of {num_dimensions} dimensions")
    widths = [_number(opened, "Q") for _ in range(num_dimensions)]
    return name, tuple(reversed(widths)), _number(opened, "I"), _number(opened, "Q")


def _value(opened: BinaryIO, kind: int) -> Any:
    """Read a setting's value; a list is a tuple."""
    if kind != ARRAY:
        return _reader(kind)(opened)
    inner, length = _number(opened, "I"), _number(opened, "Q")
    read = _reader(inner)
    return tuple(read(opened) for _ in range(length))


def _reader(kind: int) -> Callable[[BinaryIO], Any]:
    if kind == TEXT:
        return _text
    if kind not in VALUES:
        raise ValueError(f"a setting of type {kind}")
    return lambda opened: _number(opened, VALUES[kind])


def _text(opened: BinaryIO) -> str:
    return _bytes(opened, _number(opened, "Q")).decode("utf-8", "replace")


def _number(opened: BinaryIO, kind: str) -> Any:
    return struct.unpack(f"<{kind}", _bytes(opened, struct.calcsize(f"<{kind}")))[0]


def _bytes(opened: BinaryIO, count: int) -> bytes:
    if opened.tell() + count > MAX_HEADER_BYTES:
        raise ValueError(f"over {MAX_HEADER_BYTES} bytes of it")
    read = opened.read(count)
    if len(read) < count:
        raise EOFError
    return read


def _refusal(path: Path, found: str, expected: str) -> InputError:
    return InputError([Problem(str(path), found, expected)])
