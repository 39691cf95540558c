"""Wan2.1 and Wan2.2 image-to-video; all of lib that knows Wan.

a14b           Wan2.2-I2V-A14B: two experts, no image context
adapter        Wan2.1 image-to-video and its relatives: encoders, image context, experts, what to keep
family         what planning must know of Wan2.1 image-to-video, without torch
keeping        how a Wan model is told what to keep of a clip: what its two ways have in common
loading        load the components of a WanImageToVideoPipeline folder or hub id, each where and as its memory mode says
mask_channels  told by channels: noisy latents 16, mask 4, condition latents 16
memory         what a Wan model takes of a GPU's memory; measured on an H200 with the 14B, see docs/speed.md
rotary         where in a clip Wan's latent frames stand
sharing        self-attention in which the clips of a batch also see the first one's tokens
single_file    a denoiser's weights from one file, safetensors or GGUF, in place of a folder's
ti2v           Wan2.2-TI2V-5B: a time step for each token
token_times    told by time steps: a token to keep is clean, at t = 0
"""
