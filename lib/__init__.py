"""The product's code; nothing here knows about Snakemake.

Packages, lower ones first; each imports only from those before it (pyproject.toml, importlinter):

    core       what everything stands on: errors for people, whole files, hashes, provenance, why a stage failed
    config     the settings of a run: sections, methods and model families, each key checked and with its unit
    video      pixels in and out: arrays, reading, writing, sound, crops, frames, windows, optical flow, cuts
    inputs     what a user gave, found and checked before any work: clips, names, files, models, LoRAs, disk
    masks      from what an edit changed to its region in every frame; owns mask polarity (True, white = edit)
    execution  how a model's blocks and memory run on a device: modes, streaming, 8 bits, claims of GPUs
    editors    models that edit a picture as an instruction says, behind one protocol; the best of several tries
    models     image-to-video models behind one protocol; a folder per family holds all that is its own
    diffusion  the method on any model: conditioning, flow matching, encoding, the one denoising loop
    training   the one training loop, its schedule and state, the LoRA and its file format
    rivals     models and methods of others that edit the same clips, to compare with; nothing is trained
    metrics    how good an edited video is: pure functions, one per score, and the rows they make
    scores     further scores of an edited video, each switched on by naming its weights
    report     from results to the page and the table for people
    review     a look before the night: the page of what will be trained on, and what a person decides
    study      people asked which edited video is better: the page that asks, and what comes of their answers
    batch      the command ./batch: plan, driver, lock, status, and a batch's jobs on SLURM
    stages     one module per rule of the workflow, of the rule's name: typed settings in, files out
"""
