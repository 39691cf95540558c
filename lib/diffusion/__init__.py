"""The method on any model: conditioning, flow matching, encoding, the one denoising loop.

captions        describe a frame in words with Florence-2, the native transformers class
conditioning    the paper's pseudo-video and space-time mask: what the model is shown, and what it is told to keep
denoising       the one denoising loop, for any VideoModel
encoding        run the heavy encoders once: tensors kept as safetensors
flow_matching   flow matching with straight paths: noisy latents, the velocity to learn, and the Euler step
generation      from an edit's encoded inputs and a LoRA to the edited video, window by window
recolouring     copies of a clip in other colours: a LoRA learns the motion and not the colours
shared_samples  what a clip gives to a LoRA that many share: windows with masks, never its edits
stored_samples  samples of many clips, read from their files when a step wants them
"""
