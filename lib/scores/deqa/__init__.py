"""DeQA-Score: the quality of a picture, from 1 (bad) to 5 (excellent), by a language model that looks at it.

Z. You et al., "Teaching Large Language Models to Regress Accurate Image Quality Scores using Score Distribution"
(CVPR 2025). A port of our own: the published code needs an old transformers and remote code; tests say how near it is.

abstractor  what a few queries take from the features of a picture
convert     make safetensors of the published weights: `python -m lib.scores.deqa.convert FROM TO`
language    a LLaMA whose norms, keys and values differ between words and picture
scorer      ask the model what it thinks of each frame
vision      a picture's features, by a vision transformer
"""
