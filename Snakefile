# Edit whole folders of videos by editing one frame of each.
# In: a clips folder (or sheet) and the settings of config.yaml. Out: edited videos, metrics.csv, report/index.html.
from snakemake.utils import min_version

# The rules' `pathvars` came with 9.12, and profiles named profile.v9+.yaml with 9.19: an older one finds none.
min_version("9.19")
if not os.path.isdir(str(workflow.current_basedir)):
    raise WorkflowError(
        f"Nothing was started: found this workflow at {workflow.current_basedir}, where lib/ cannot be imported from; "
        "expected a clone on this machine, and the path of its Snakefile"
    )


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/names.smk"
include: "workflow/rules/snakemake.smk"
include: "workflow/rules/choices.smk"
include: "workflow/rules/instructed.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/sharing.smk"
include: "workflow/rules/copies.smk"
include: "workflow/rules/software.smk"
include: "workflow/rules/shown.smk"
include: "workflow/rules/batch.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/editor.smk"
include: "workflow/rules/caption.smk"
include: "workflow/rules/mask.smk"
include: "workflow/rules/encode.smk"
include: "workflow/rules/shared.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/generate.smk"
include: "workflow/rules/rivals.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/outside.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: not HAS_DRIVER
    input:
        rules.report.output if HAS_REPORT else [],
        # Asked for one by one too: after a failure the page is there, and alone it would look like a finished run.
        rules.report.input.metrics,
        rules.report.input.scores,
        [f"{SETTINGS.results}/{clip}/{edit}/{method}/edited.mp4" for clip, edit, method in PLANNED],
        exported_loras(PLANNED),


rule prepared:  # what ./batch prepare shows: everything before the first training
    input:
        [f"{SETTINGS.results}/{clip}/caption.json" for clip in CLIPS],
        [
            f"{SETTINGS.results}/{clip}/{edit}/{made}"
            for clip, edit in EDITS
            for made in ("first_frame.png", "edit_mask.json")
        ],
        [f"{SETTINGS.results}/{clip}/{edit}/caption.json" for clip, edit in EDITS if f"{clip}/{edit}" not in PROMPTS],
    output:
        touch(batch_file(RESULTS, "prepared")),
    localrule: True


rule round:  # what ./batch asks for, slice by slice
    default_target: HAS_DRIVER
    input:
        gathered_samples() if ROUND.gathers else rules.all.input,
    output:
        touch(ROUND_MARK),
    localrule: True
