"""A look before the night: what is about to be trained on, as one page, and what a person says of it.

page     the page: first frames beside their sources, masks, captions, warnings, what the rest will take
saved    decisions that were saved from the page, checked against the edits there are
"""
