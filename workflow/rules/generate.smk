# Generate the edited video.
# In: the edit's encoded/MASK.safetensors and a LoRA. Out: edited.mp4 for viewing, edited.mkv without loss, edited.json.
# Without any, no param: else batches that are finished would be generated anew.
EXTRA_EXPERTS = [extra.experts for extra in SETTINGS.sampling.extra_loras]
GIVEN = dict(
    extra_scales=[extra.scale for extra in SETTINGS.sampling.extra_loras],
    extra_experts=EXTRA_EXPERTS if set(EXTRA_EXPERTS) - {"all"} else [],
    attention=SETTINGS.sampling.attention,
)
GIVEN = {key: value for key, value in GIVEN.items() if value}
OF_VACE = [name for name, method in METHODS.items() if method.model == "vace"]
OF_CONTEXTFLOW = [name for name, method in METHODS.items() if method.model == "contextflow"]


rule generate:
    input:
        encoded=of_clip_and_edit(lambda clip, edit, wildcards: LAYOUT.encoded(clip, edit, method_of(wildcards))),
        lora=of_clip_and_edit(lambda clip, edit, wildcards: LAYOUT.lora(clip, edit, method_of(wildcards)) or []),
        extra_loras=[extra.path for extra in SETTINGS.sampling.extra_loras],
        first_frame="<results>/{clip}/{edit}/first_frame.png",
        mask=of_clip_and_edit(lambda clip, edit, wildcards: LAYOUT.mask(clip, edit, mask_name_of(wildcards))),
        video="<results>/{clip}/source_video.mkv",
        facts="<results>/{clip}/source_video.json",
    output:
        video=shown("<results>/{clip}/{edit}/{method}/edited.mp4", "edited video"),
        lossless=(
            "<results>/{clip}/{edit}/{method}/edited.mkv"
            if SETTINGS.video.keep_lossless
            else temp("<results>/{clip}/{edit}/{method}/edited.mkv")
        ),
        provenance="<results>/{clip}/{edit}/{method}/edited.json",
    log:
        "<logs>/{clip}/{edit}/{method}/generate.log",
    benchmark:
        "<benchmarks>/{clip}/{edit}/{method}/generate.tsv"
    wildcard_constraints:
        method=rf"(?!{OUTSIDE}|(?:{'|'.join(OF_VACE + OF_CONTEXTFLOW) or NONE})(?:/|$))[A-Za-z0-9_]+",
    conda:
        "../../envs/diffusion.yaml"
    threads: 1
    resources:
        tmpdir=TMPDIR,
        attempt=attempt_of,
        gpu=NUM_GPUS,
    params:
        title=titled("generate"),
        version=STAGE_VERSIONS["generate"],
        model=SETTINGS.model.only("name", "family", "dtype", "weights", "device", "download", "memory") | FROM_FILES,
        models=MODEL_FILES.of("model.name", only=[*OF_DENOISERS, "vae", "scheduler"]) | OF_FILES,
        sampling=sampling_of,
        mask=SETTINGS.mask.only("correct_edited"),
        video=SETTINGS.video.only("crf"),
        own=lambda wildcards: dict(windows=windows_of(wildcards), mask_kind=mask_name_of(wildcards), **GIVEN),
    message:
        "{params.title}"
    script:
        "../scripts/generate.py"
