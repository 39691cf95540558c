"""HunyuanVideo image-to-video; all of lib that knows it.

adapter  HunyuanVideo image-to-video: what its transformer is shown, in either of its two forms
family   what planning must know of HunyuanVideo image-to-video, without torch
forward  the transformer's forward pass on one sample: any latent frames, any tokens that are clean already
loading  load the components of a HunyuanVideo image-to-video folder or hub id, as its memory mode says
memory   what a HunyuanVideo model takes of a GPU's memory; estimated, see docs/models.md
text     the prompt as HunyuanVideo reads it: by LLaVA, beside the first frame, and by CLIP
"""
