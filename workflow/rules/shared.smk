# The LoRA that stage 1 of every clip starts from, trained once on clips of the batch.
# In: source videos, captions and masks of the chosen clips. Out: shared/MASK.safetensors. There: clips added later use it.

NONE = "(?!)"  # matches nothing: a shared LoRA that is there, or given, is a file like any other


rule encode_shared:
    input:
        source=lambda wildcards: clip_of(wildcards).source,
        video="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
        caption="<results>/{clip}/caption.json",
        masks=of_all_edits(LAYOUT.mask),
    output:
        encoded="<results>/{clip}/encoded/shared_{mask}.safetensors",
        provenance="<results>/{clip}/encoded/shared_{mask}.json",
    log:
        "<logs>/{clip}/encode_shared.{mask}.log",
    benchmark:
        "<benchmarks>/{clip}/encode_shared.{mask}.tsv"
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("encode for the shared LoRA"),
        version=STAGE_VERSIONS["encode_shared"],
        model=ENCODERS,
        models=MODEL_FILES.of("model.name", leave_out=[*DENOISERS, "scheduler"]),
        video=SETTINGS.video.only("start", "stride"),
        shared=SETTINGS.shared.only("samples_per_clip", "scale"),
        own=lambda wildcards: dict(
            clip=wildcards.clip,
            seed=SETTINGS.training.seed,
            length=SETTINGS.video.num_frames,
            num_usable=usable_frames_of(wildcards),
            mask_kind=wildcards.mask,
        ),
    message:
        "{params.title}"
    script:
        "../scripts/encode_shared.py"


rule train_shared:
    input:
        samples=samples_of_shared,
    output:
        lora="<results>/shared/{mask}.safetensors",
        curve="<results>/shared/{mask}.jsonl",
        provenance="<results>/shared/{mask}.json",
    log:
        "<logs>/shared/train_shared.{mask}.log",
    benchmark:
        "<benchmarks>/shared/train_shared.{mask}.tsv"
    wildcard_constraints:
        mask="|".join(TO_SHARE) or NONE,
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,  # 2: `--set-resources train_shared:gpu=2`, on one host
    params:
        **SHARED_PARAMS,
        title="train the shared LoRA",
        own=lambda wildcards: dict(mask_kind=wildcards.mask),
    message:
        "{params.title}"
    script:
        "../scripts/train_shared.py"
