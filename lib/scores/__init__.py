"""Further scores of an edited video, each switched on by naming its weights, and measured apart from all others.

contrastive         what models that put pictures beside words, or beside other pictures, say of frames
convert_perceptual  make one safetensors file of the published weights of LPIPS or DISTS
deqa                DeQA-Score: the quality of a picture, by a language model that looks at it
judge               a local vision-language model as a judge: shown frames, asked fixed questions
perceptual          how different two pictures look: LPIPS and DISTS, of the background alone
"""
