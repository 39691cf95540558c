"""People asked which edited video is better: the page that asks them, and what comes of their answers.

agreement    how alike people answer: Kendall's W of whole orders, Fleiss' kappa of choices between two
answers      the files that people send back, each checked against the study
blind_media  videos and pictures that tell nothing of what made them: no name, no size, no time, no metadata
page         the page that asks, in a folder to send away, and the key beside it
plan         which videos a study shows, and what it asks: chosen by a seed
questions    what people are asked: the paper's two questions and the user's own
ranks        from answers to mean ranks and preferences, with confidence intervals over people
tables       what people said as tables for a paper: Markdown, LaTeX and CSV
"""
