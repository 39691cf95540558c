"""What a shared start needs and what it saves, on the demo's world, against the exact truth.

cases      scenes to train on and to edit, with masks from the truth, encoded for the demo's model
arms       what is compared: how a LoRA starts, and how it is trained on the clip
work       train and edit, scene by scene, in one process
agreement  which scores order methods as the truth does
tables     the pages' tables and picture from the rows of all processes
"""
