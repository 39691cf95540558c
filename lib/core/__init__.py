"""What everything stands on: errors for people, whole files, hashes, provenance, why a stage failed.

clocks      the clock of a disk: a network disk dates files by its own
errors      what a user did wrong, said so that it can be mended without reading code
failures    why a stage failed: one small file beside its log, for retries, the status and the report
files       files that appear whole or not at all, and how they are named by their content
garbage     free what looking at thousands of files leaves behind
locks       locks that end with the processes that hold them, however they end
marks       what a stage leaves beside its log while it runs
names       names that people gave, by the ids that stand for them in paths: what is shown where ids are found
processes   whether a process that a file names is still that process
progress    how far a long stage is: steps done, loss, and time left, a line every few seconds
project     where the project itself lies
provenance  what made a file: settings, seeds, versions, and hashes of what went in and came out
text        text that came from outside, made fit to be shown
units       units
"""
