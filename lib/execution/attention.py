"""Which kernel computes attention at generation: PyTorch's own, or one of an installed package."""

from typing import Any

from lib.core.errors import InputError, Problem


def use_attention(transformer: Any, backend: str) -> None:
    """Let a transformer of diffusers compute attention by another backend.

    Args:
        transformer: loaded, its blocks set up; not run yet.
        backend: of `lib.config.sections.AttentionBackend`, none of which is fetched.

    Raises:
        InputError: what it needs is not installed, or too old.
    """
    try:
        transformer.set_attention_backend(backend)
    except (ImportError, RuntimeError, ValueError) as error:
        found = f"'{backend}', which cannot be used here ({' '.join(str(error).split())})"
        expected = "its package in the environment of the job, or null: PyTorch's own attention"
        raise InputError([Problem("sampling.attention", found, expected)]) from None
