"""Attention by another backend says the same; one that is not installed is told in words."""

from collections.abc import Iterator

import pytest
import torch
from diffusers.models.attention_dispatch import _AttentionBackendRegistry

from lib.core.errors import InputError
from lib.execution.attention import use_attention
from lib.models.load import load_model
from tests.conftest import TINY_WAN


@pytest.fixture(autouse=True)
def _own_backend() -> Iterator[None]:
    """Put back what diffusers keeps for the whole process."""
    before = _AttentionBackendRegistry._active_backend
    yield
    _AttentionBackendRegistry._active_backend = before


@torch.no_grad()
def _say(transformer: torch.nn.Module) -> torch.Tensor:
    torch.manual_seed(3)
    config = transformer.config
    said: torch.Tensor = transformer(
        hidden_states=torch.randn(1, config.in_channels, 2, 8, 8),
        timestep=torch.tensor([500.0]),
        encoder_hidden_states=torch.randn(1, 12, config.text_dim),
        encoder_hidden_states_image=torch.randn(1, 5, config.image_dim),
    ).sample
    return said


def test_another_backend_computes_the_same() -> None:
    """PyTorch's plain one, which every machine has."""
    model = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)
    before = _say(model.transformer)
    use_attention(model.transformer, "_native_math")
    kinds = {
        getattr(module.processor, "_attention_backend", None)
        for module in model.transformer.modules()
        if hasattr(module, "processor")
    }
    assert {str(getattr(kind, "value", kind)) for kind in kinds} == {"_native_math"}
    torch.testing.assert_close(_say(model.transformer), before, atol=1e-5, rtol=1e-4)


def test_what_is_not_installed_is_told() -> None:
    """With the setting, what is missing, and what to do."""
    model = load_model(TINY_WAN, {"transformer"}, device=torch.device("cpu"), dtype=torch.float32)
    with pytest.raises(InputError, match=r"sampling\.attention.*'sage'.*sageattention"):
        use_attention(model.transformer, "sage")
