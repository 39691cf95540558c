"""From results to the page and the table for people.

media          the pictures and videos beside the page, so that its folder can be moved
metric_labels  how each metric is called and shown to people
outcomes       what became of each edited video: asked by the report and by `./batch status` alike
page           metrics and videos of a batch as a table for programs and a page for people
results        read what a batch has made so far: results, logs and measured times, whole or partly missing
sections       what the report shows of one edit, as plain values
table          metrics of a batch as a table for programs: metrics.csv
"""
