"""The one training loop, its schedule and state, the LoRA and its file format.

fine_tuning   train one LoRA from its samples to its file, resumable at any step
held_out      the loss on samples that a training does not see
loop          the one training loop, for any VideoModel: fine-tune a LoRA on samples encoded beforehand
lora          attach, save and load a LoRA with peft, in the file format that diffusers' pipelines read
lora_formats  read and write LoRA files under the names that other programs use
loss_curve    the losses of a training, read without making the GPU wait
replicas      one training on several GPUs of a host, by distributed data parallel
schedule      which samples each training step sees
state         a training that was stopped goes on to the same bits
"""
