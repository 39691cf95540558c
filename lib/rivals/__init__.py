"""Models and methods of others that edit the same clips from the same frames, to compare with; nothing is trained.

contextflow  ContextFlow: an edit without training, by the run's own image-to-video model
vace         Wan2.1 VACE: a model that was trained to fill what a mask leaves out of a video
"""
