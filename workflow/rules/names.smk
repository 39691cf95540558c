# What people call clips and edits, and other words of theirs: shown where ids stand, and kept from shells.
# In: BATCH, SETTINGS. Out: titles of jobs; EARLIER, results that are under names still.
from lib.batch.slurm_words import check_slurm_words
from lib.core.names import show_names
from lib.inputs.earlier import describe_earlier, find_earlier

EARLIER = find_earlier(Path(SETTINGS.results), BATCH.clips) if workflow.is_main_process else []
if EARLIER:
    print(describe_earlier(Path(SETTINGS.results), EARLIER), file=sys.stderr)


def titled(what):
    """What a job is called in its log and on the console: the rule, and the clip, edit and method by their names."""
    return lambda wildcards: f"{what}: {', '.join(show_names(BATCH.names, wildcards))}"


def refuse_slurm_words():
    """Submit nothing where the shell that SLURM's jobs go through would run a part of a path or a setting."""
    words = {
        "results folder": SETTINGS.results,
        "folder of the workflow": str(ROOT),
        "Python": sys.executable,
        "--configfile": [str(path) for path in workflow.overwrite_configfiles],
        "--config": workflow.config_settings.config,
        "--directory": str(workflow.overwrite_workdir or ""),
    }
    if not HIDES_PATHS:
        words["files of clips"] = [str(path) for clip in BATCH.clips for path in clip.files]
    problems = check_slurm_words(words, workflow.workdir_init)
    if problems:
        refuse(problems)
