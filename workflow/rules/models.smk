# What the models' files hold, so that new weights under an old name run again what reads them.
# In: SETTINGS. Out: MODEL_FILES, DENOISERS, OF_FILES, FROM_FILES and EXPERTS, for the params of the rules.
from lib.inputs.model_files import identify_models

try:  # what was read is remembered for all results: it is gigabytes
    MODEL_FILES = identify_models(SETTINGS.model_names(), SEEN.parent / "models.json", SETTINGS.model.download)
except InputError as error:
    refuse(error.problems)

# The parts of the model that are denoisers; of several, the file that says which noise levels are whose counts too.
DENOISERS = list(family_of(SETTINGS.model.family).experts)
OF_DENOISERS = [*DENOISERS, *([""] if len(DENOISERS) > 1 else [])]
# Where their weights are in files of their own, these; without any, no param: else finished batches would be made anew.
OF_FILES = MODEL_FILES.of(*SETTINGS.model.files_by_key)
FROM_FILES = SETTINGS.model.only("transformer_files") if SETTINGS.model.transformer_files else {}
# Where all are trained, no param: else batches that are finished would be trained anew.
EXPERTS = {} if SETTINGS.training.experts == "all" else SETTINGS.training.only("experts")
