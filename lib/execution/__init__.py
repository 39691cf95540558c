"""How a model's blocks and memory run on a device: modes, streaming, 8 bits, claims of GPUs.

attention             which kernel computes attention at generation: PyTorch's own, or another
block_runs            how a transformer's blocks are run: compiled, recomputed, streamed
convolutions          3D convolutions on the CPU, run by oneDNN where torch would take a slow loop
devices               where tensors live and how torch is set up for a stage
fp8                   linear layers whose frozen weights are kept, or multiplied too, in 8 bits
gguf_weights          linear layers whose frozen weights stay as a GGUF file has them
gpu_claims            one GPU for each of a user's jobs on a machine: a claim that ends with the process
host_memory           host memory that a GPU can copy from and to while it computes
memory_modes          the mode a stage runs in: the fastest that fits the GPU, or the one named
offloaded_inputs      inputs of blocks that wait in host memory for the backward pass
pipelines             a whole diffusers pipeline on a device, as much of it at once as its memory holds
selective_checkpoint  which outputs inside a block are kept for the backward pass
weight_stream         blocks whose weights come from host memory, one ahead of the computation
"""
