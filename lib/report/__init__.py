"""From results to the page and the table for people.

comparison     methods compared over the clips of a batch: means, errors, paired differences from ours
gallery        what the gallery that opens the page shows: source and edit side by side, and two figures
media          the pictures and videos beside the page, so that its folder can be moved
metric_labels  how each metric is called and shown to people
outcomes       what became of each edited video: asked by the report and by `./batch status` alike
page           metrics and videos of a batch as a page for people
paired_tests   whether paired differences are more than chance
parts          what the page shows only when asked for: small scripts beside it
results        read what a batch has made so far: results, logs and measured times, whole or partly missing
rows           what the page itself shows of each edit: rows of the table, and what needs a person's look
sections       what the report shows of one edit, as plain values
table          metrics of a batch as a table for programs: metrics.csv
table_files    the comparison of methods as tables for a paper: Markdown, LaTeX and CSV
"""
