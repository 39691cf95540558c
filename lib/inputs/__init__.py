"""What a user gave, found and checked before any work: clips, names, files, models, LoRAs, disk.

benchmark_sets  make a sheet of a published test set
checkpoints     find model folders before any work starts: how to get a missing one, and which are none of their family
clips           from a folder of clips, or a sheet, to the clips and edits of a run, and what is wrong with the others
decisions       which edits a person lets be made: approved, held or rejected, in a table that a person can change
disk            what a run needs of the disk, and whether there is room; torch-free, since it is asked before any work
earlier         results of an earlier version, in folders called as clips and edits are: told, and left alone
edits           check one edit of a clip: its first frame, references and masks, against the source that they belong to
folder          which files belong to which clip and edit: the clips folder, as found
given           what a user gave of a clip and of an edit: files by their role, and settings; not yet looked into
gguf_header     read the header of a GGUF file: names, shapes, types and places of its tensors
ids             ids of clips, edits and outside methods, which stand for names in paths, wildcards, jobs and shell words
layout          where a run's results lie, and which of them an edited video is made from
lora_files      check a LoRA file by its header, before any GPU job
lora_names      what programs call the tensors of a LoRA file, for one family's layers
model_files     what the files of a run's models hold, so that new weights under an old name are noticed
names           what people may call clips and edits, and where their files may lie: nearly anything
outside         videos that other tools made for the edits of a batch: found, and matched with their clips
probes          look into the videos and images a user gave: their sizes, or why they cannot be read
run_checks      what keeps a whole run from starting: models, LoRAs and disk, beside what is wrong with single clips
shared_lora     the LoRA that clips start from: who trains it, whether it is there, whether a given one is right
sheet           which files belong to which clip and edit: a sheet (.tsv or .csv) with one row for each edit
targets         which clips a cluster's job is of, so that it looks at no others
weight_files    check files of a denoiser's weights by their headers, before any job; torch-free
"""
