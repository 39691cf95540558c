"""One module per stage of the workflow; nothing here knows about Snakemake."""
