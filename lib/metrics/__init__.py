"""How good an edited video is: pure functions, one per score, and the rows they make.

background  how well the background is kept: PSNR and SSIM outside the mask
boundary    how well an edit fits in: at the mask's edge, in the background and in its first frame
motion      how the output moves, against the source: warp error, and error of the motion in the region to edit
per_frame   a metric's values: one number per frame, None where it is undefined
rows        an edited video's metrics beside two control rows, which say what the figures can reach
similarity  CLIP embeddings of frames, and what their cosines say
source      what is measured of a source alone, once for all that is compared with it: its motion, and CLIP of it
video       every metric of one video against its source, and a video for people of where the two differ
"""
