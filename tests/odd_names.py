"""Names that people, other systems and attackers give to clips and edits, for the tests of all that bears names."""

LONGEST_SAFE = "longest-" + "x1" * 9 + "-" + "y2" * 9 + "-" + "z3" * 9 + "-" + "w4" * 7 + "w"  # 80 characters
WORDS_FOR_A_SHELL = [
    "$(touch INJECTED)",
    "a`touch INJECTED`b",
    '"; touch INJECTED; "',
    "'; touch INJECTED; '",
    "'\"$(touch INJECTED)\"'",
    "&& touch INJECTED #",
    "$HOME",
    "\\$(touch INJECTED)\\",
    "100%j %A",
    "-rf",
    "--output=INJECTED",
    "*",
    "~",
]
"""Each makes a file INJECTED, or becomes something else, where a shell or SLURM reads it."""
FOR_SNAKEMAKE = ["20" * 20, "a" * 20, "no" * 40, "{}", "{{ }}", "x" * 255, LONGEST_SAFE, f"{LONGEST_SAFE}5", "ж" * 127]
"""A wildcard that ends in 20 repeats, braces, and the longest."""
FOR_PEOPLE = [
    "two words",
    " outer blanks ",
    "вечер",
    "赤い車",
    "🚗💨",
    "شارع",
    "left\u202eright",
    "new\nline",
    "bell\x07",
    "what?",
    "50% & more",
    "caf\u00e9",
    "cafe\u0301",
    "Car",
    "car",
    "CAR",
    "STRASSE",
    "straße",
]
"""Other scripts, signs, and pairs that some file systems take for one name."""
FOR_FILES = ["con", "NUL.txt", "a."]
"""What no folder may be called on some disk."""
OF_RESULTS = ["report", "Logs", "benchmarks", "metrics.csv", "report.log", "encoded", "lora", "masks", "references"]
OF_CLIP_RESULTS = ["source_video.mkv", "source_video.json", "source_preview.mp4", "objects.json", "mask_lora"]
OF_CLIP_RESULTS += ["caption_source.log", "encode_source.edit.tsv", "motion.safetensors"]
"""What stands beside the folders of clips, and of edits."""
ODD_NAMES = [*WORDS_FOR_A_SHELL, *FOR_SNAKEMAKE, *FOR_PEOPLE, *FOR_FILES, *OF_RESULTS, *OF_CLIP_RESULTS]
"""All of these; each can be the name of a folder."""
