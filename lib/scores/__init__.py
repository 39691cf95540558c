"""Further scores of an edited video, each switched on by naming its weights, and measured apart from all others.

deqa  DeQA-Score: the quality of a picture, by a language model that looks at it
"""
