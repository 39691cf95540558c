"""The settings of a run: sections, methods and model families, each key checked and with its unit.

documentation      docs/settings.md, written from the models of the settings
editor_section     the section on the model that edits a first frame as an instruction says
families           the families of image-to-video models: which there are, and what planning must know of each
methods            methods: named presets of what is trained, with which mask, and how an edit is generated
rival_sections     the sections on models of others, which methods compare ours with
score_sections     the section on further scores
sections           the sections of config.yaml: a pydantic model each, each key with its unit and default, the paper's
settings           the settings of a run, whole: read over their base, checked, and refused with what would be right
training_sections  the sections on training: a clip's LoRA, and the one that all clips may start from
"""
