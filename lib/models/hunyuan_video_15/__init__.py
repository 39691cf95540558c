"""HunyuanVideo-1.5 image-to-video; all of lib that knows it, but for what it shares with `lib.models.hunyuan_video`.

adapter  HunyuanVideo-1.5 image-to-video: what its transformer is shown, as condition latents, mask, texts and picture
family   what planning must know of HunyuanVideo-1.5 image-to-video, without torch
forward  the transformer's forward pass on one sample, of any latent frames, without a mask for its attention
loading  load the components of a HunyuanVideo-1.5 image-to-video folder or hub id, as its memory mode says
memory   what a HunyuanVideo-1.5 model takes of a GPU's memory; estimated, see docs/models.md
"""
