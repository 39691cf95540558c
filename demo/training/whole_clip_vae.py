"""Run a tiny AutoencoderKLWan over all frames of a clip at once instead of chunk by chunk.

The library encodes and decodes four frames at a time and carries the layers' last inputs over: frugal with memory,
but thousands of small kernels. For clips that fit, one pass over the whole sequence gives the same numbers (a test
holds it against the library) several times faster, in training too.
"""

from typing import cast

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import WanResample, WanResidualBlock
from torch import nn


def encode_whole(vae: AutoencoderKLWan, video: torch.Tensor) -> torch.Tensor:
    """Encode a model video (batch, 3, frames, height, width), frames % 4 == 1.

    Returns:
        Means and log variances, (batch, 32, 1 + (frames - 1) / 4, height / 8, width / 8).
    """
    encoder = vae.encoder
    features = encoder.conv_in(video)
    for block in encoder.down_blocks:
        features = _downsample(block, features) if isinstance(block, WanResample) else _residual(block, features)
    features = _mid_block(encoder.mid_block, features)
    return cast(torch.Tensor, vae.quant_conv(encoder.conv_out(norm_silu(features, encoder.norm_out.gamma))))


def decode_whole(vae: AutoencoderKLWan, latents: torch.Tensor) -> torch.Tensor:
    """Decode latents (batch, 16, frames, height, width) to a model video, not clamped: 4 (frames - 1) + 1 frames."""
    decoder = vae.decoder
    features = _mid_block(decoder.mid_block, decoder.conv_in(vae.post_quant_conv(latents)))
    for block in decoder.up_blocks:
        for residual in block.resnets:
            features = _residual(residual, features)
        for resample in block.upsamplers or ():
            features = _upsample(resample, features)
    return cast(torch.Tensor, decoder.conv_out(norm_silu(features, decoder.norm_out.gamma)))


def norm_silu(features: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    """WanRMS_norm and SiLU over (batch, channels, frames, height, width), in float32."""
    normalised = F.normalize(features.float(), dim=1) * features.shape[1] ** 0.5
    return F.silu(normalised * gamma.float()).to(features.dtype)


def _residual(block: WanResidualBlock, features: torch.Tensor) -> torch.Tensor:
    changed = block.conv1(norm_silu(features, block.norm1.gamma))
    return cast(torch.Tensor, block.conv2(norm_silu(changed, block.norm2.gamma)) + block.conv_shortcut(features))


def _mid_block(block: nn.Module, features: torch.Tensor) -> torch.Tensor:
    features = _residual(block.resnets[0], features)
    for attention, residual in zip(block.attentions, block.resnets[1:], strict=True):
        features = _residual(residual, attention(features))
    return features


def _downsample(block: WanResample, features: torch.Tensor) -> torch.Tensor:
    """Halve the size; halve the frames after the first too, each from three neighbours."""
    features = _each_frame(block.resample, features)
    if block.mode == "downsample3d" and features.shape[2] > 1:
        features = torch.cat([features[:, :, :1], block.time_conv(features)], dim=2)
    return features


def _upsample(block: WanResample, features: torch.Tensor) -> torch.Tensor:
    """Double the frames after the first, then the size."""
    if block.mode == "upsample3d" and features.shape[2] > 1:
        later = block.time_conv(features[:, :, 1:])  # the library starts its cache after the first frame
        batch, channels, frames, height, width = later.shape
        pairs = later.view(batch, 2, channels // 2, frames, height, width).permute(0, 2, 3, 1, 4, 5)
        later = pairs.reshape(batch, channels // 2, 2 * frames, height, width)
        features = torch.cat([features[:, :, :1], later], dim=2)
    return _each_frame(block.resample, features)


def _each_frame(layer: nn.Module, features: torch.Tensor) -> torch.Tensor:
    """Apply a layer for pictures to each frame of (batch, channels, frames, height, width)."""
    batch, channels, frames, height, width = features.shape
    pictures = layer(features.transpose(1, 2).reshape(batch * frames, channels, height, width))
    return cast(torch.Tensor, pictures.view(batch, frames, *pictures.shape[1:]).transpose(1, 2))
