"""A family that lives in tests alone: a tiny model, unlike Wan in every name and number.

adapter     what the loops ask of it: `lib.models.base.VideoModel`
checkpoint  a model folder of it, made for a test
family      what planning must know of it
networks    its modules: a denoiser that attends over cells, an autoencoder that averages, and words as bytes
"""
