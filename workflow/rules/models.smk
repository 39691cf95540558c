# What the models' files hold, so that new weights under an old name run again what reads them.
# In: SETTINGS. Out: MODEL_FILES, for the params of the rules.
from lib.inputs.model_files import identify_models

try:  # what was read is remembered for all results: it is gigabytes
    MODEL_FILES = identify_models(SETTINGS.model_names(), SEEN.parent / "models.json", SETTINGS.model.download)
except InputError as error:
    refuse(error.problems)
