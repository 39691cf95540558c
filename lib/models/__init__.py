"""Image-to-video models behind one protocol; a folder per family holds all that is its own.

base              what the loops ask of a video model; everything that differs between models is behind it
experts           a model's denoisers: one for all noise levels, or several experts that share them
hunyuan_video     HunyuanVideo image-to-video; all of lib that knows it
hunyuan_video_15  HunyuanVideo-1.5 image-to-video; all of lib that knows it, but for what it shares with `hunyuan_video`
latent_cells      a mask at the resolution of latents
load              load_model, the only way to a model
wan               Wan2.1 and Wan2.2 image-to-video; all of lib that knows Wan
"""
