"""Models that edit a picture as an instruction says, behind one protocol; and which of several tries is the best.

base              what every editor promises: a picture and words in, a picture of the same size out
flux_kontext      FLUX.1 Kontext
instruct_pix2pix  InstructPix2Pix
load              from a folder or hub id in diffusers' layout to the editor that it holds; the only way to one
qwen_image        Qwen-Image-Edit, and its form that takes several pictures
sizes             pictures brought to a size that a pipeline takes, and back to their own
tries             what a try changed, where, and which of several to take
"""
