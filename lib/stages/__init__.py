"""One module per rule of the workflow, of the rule's name: typed settings in, files out.

log            a log that a person can read for each stage of each clip
model          the video model as a stage of the workflow asks for it: by the settings that its rule passes on
segment_masks  the mask of an edit: the user's own, or one that is made
"""
