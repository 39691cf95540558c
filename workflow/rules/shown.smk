# What `snakemake --report report.zip` shows: a menu of clips, in it the source and each edit, a row for each file.
# In: a path and what it holds, which workflow/report/ explains. Out: the path, marked.


def shown(path, what):
    """Mark a file for `snakemake --report`: under its clip and edit as people named them, in a row with its method."""
    clips = lambda wildcards: name_of(BATCH.names, wildcards.clip)
    edits = lambda wildcards: name_of(BATCH.names, wildcards.clip, wildcards.get("edit", "source"))
    row = lambda wildcards: {"method": wildcards.get("method", "of all"), "what": what}
    caption = f"../report/{what.replace(' ', '_')}.rst"
    return report(path, caption, category=clips, subcategory=edits, labels=row)
