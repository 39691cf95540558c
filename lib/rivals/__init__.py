"""Models of others that edit the same clips from the same frames and masks, to compare with; nothing is trained.

vace  Wan2.1 VACE: a model that was trained to fill what a mask leaves out of a video
"""
