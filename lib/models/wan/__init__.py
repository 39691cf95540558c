"""Wan2.1 image-to-video; all of lib that knows Wan.

adapter  Wan2.1 image-to-video: encoders, CLIP image context, and the 4-channel packing of the keep mask
family   what planning must know of Wan2.1 image-to-video, without torch
loading  load the components of a WanImageToVideoPipeline folder or hub id, each where and as its memory mode says
memory   what a Wan model takes of a GPU's memory; measured on an H200 with the 14B, see docs/speed.md
rotary   where in a clip Wan's latent frames stand
sharing  self-attention in which the clips of a batch also see the first one's tokens
"""
