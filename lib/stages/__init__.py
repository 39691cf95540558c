"""One module per rule of the workflow, of the rule's name: typed settings in, files out.

align_edit            bring an edited first frame and its references to the source's crop
align_outside         bring a video that another tool made for an edit to the clip's size, time and length
alone                 run one stage again, alone, in this process: under a debugger, from a clip and a rule
caption               describe one picture in words: frame 0 of a source, or an edited first frame
caption_references    describe each reference of an edit in words, for stage 2 to show it with a prompt of its own
detect_objects        find the objects of a clip and its motion, once for all edits and shapes of mask
edit_first_frame      make an edited frame that is given as an instruction: the first one, or a reference
encode_edit           encode what an edit is generated from, and its references for stage 2
encode_shared         encode what a clip gives to the LoRA that all clips start from
encode_source         encode a clip for stage 1: the source, window by window, and its recoloured copies
evaluate              measure an edited video, beside the VAE round trip and the unedited copy of the source
export_lora           write a LoRA once more, under the names that another program reads
extract_frames        sample, resize and crop the source; keep it without loss, with its sound
generate              generate an edited video from its encoded first frame, source background and mask
generate_contextflow  edit a clip with ContextFlow, the run's own model without a LoRA
generate_vace         edit a clip with VACE, a model of others, from what our methods are given
job                   one job, handed to its stage: what Snakemake gives, as typed values, in the job's log
log                   a log that a person can read for each stage of each clip
measure_source        measure of a clip what its edits are compared with, once for all edits and methods
model                 the video model as stages ask for it
replica               be one of several processes of a job, which torchrun started
report                write metrics.csv and the report page, from whatever of a batch there is
rival                 what the methods of others are given of an edit: the same pixels, mask and words as ours
score                 measure one further score of an edited video, apart from all others
segment_masks         the mask of an edit: the user's own, or one that is made
train_lora            fine-tune a LoRA: stage decouple on the clip, stage appearance on an edit's references as well
train_shared          train the LoRA that all clips start from; on several GPUs where the job has them
"""
