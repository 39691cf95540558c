"""Self-attention in which the clips of a batch also see the first one's tokens.

Y. Chen et al., "ContextFlow" (arXiv 2509.17818): keys and values of a clip that is being rebuilt, after their norms and
rotary embedding, stand beside the edited clip's own, so that it can take from the source what the edit leaves.
"""

from collections.abc import Collection
from typing import Any

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.transformers.transformer_wan import WanAttnProcessor


class SharedContextProcessor(WanAttnProcessor):  # type: ignore[misc]
    """diffusers' own processor, but that all clips after the first also attend to the first.

    Attributes:
        is_on: else it is the original.
    """

    is_on = False

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        rotary_emb: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Return what self-attention adds, (batch, tokens, width)."""
        if not self.is_on or len(hidden_states) == 1:
            plain: torch.Tensor = super().__call__(
                attn, hidden_states, encoder_hidden_states, attention_mask, rotary_emb
            )
            return plain
        assert encoder_hidden_states is None and rotary_emb is not None, "of self-attention alone"

        def by_head(states: torch.Tensor) -> torch.Tensor:
            return states.view(*states.shape[:2], attn.heads, -1)

        query = rotate(by_head(attn.norm_q(attn.to_q(hidden_states))), *rotary_emb)
        key = rotate(by_head(attn.norm_k(attn.to_k(hidden_states))), *rotary_emb)
        value = by_head(attn.to_v(hidden_states))
        first = self._attend(query[:1], key[:1], value[:1])
        others = self._attend(query[1:], _beside_first(key), _beside_first(value))
        output = torch.cat([first, others]).flatten(2, 3).type_as(query)
        for layer in attn.to_out:
            output = layer(output)
        return output

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = dispatch_attention_fn(query, key, value, backend=self._attention_backend)
        return output


def _beside_first(states: torch.Tensor) -> torch.Tensor:
    """Put the first clip's tokens after those of each other clip: (batch, n, ...) -> (batch - 1, 2 n, ...)."""
    return torch.cat([states[1:], states[:1].expand(len(states) - 1, *states.shape[1:])], dim=1)


def rotate(states: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    """Turn pairs of channels of (batch, tokens, heads, head width) by the rotary embedding's angles."""
    even, odd = states[..., 0::2], states[..., 1::2]
    cosine, sine = cosines[..., 0::2], sines[..., 1::2]
    turned = torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1)
    return turned.flatten(-2).type_as(states)


def share_context(transformer: Any, blocks: Collection[int]) -> None:
    """Let the clips of a batch see the first one in these blocks' self-attention, by number; none: in no block."""
    for number, block in enumerate(transformer.blocks):
        processor = block.attn1.processor
        if number in blocks and not isinstance(processor, SharedContextProcessor):
            backend = processor._attention_backend
            block.attn1.set_processor(SharedContextProcessor())
            block.attn1.processor._attention_backend = backend
        if isinstance(block.attn1.processor, SharedContextProcessor):
            block.attn1.processor.is_on = number in blocks
