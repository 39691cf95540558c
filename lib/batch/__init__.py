"""The command ./batch: plan, driver, lock, status, and a batch's jobs on SLURM.

activity        the stages that run now, and those that failed, as files beside their logs tell
command         the command ./batch: start, watch, stop and resume a batch that outlives the terminal
driver          runs Snakemake until all is done, outlives the terminal, ends in good order
files           what a batch's driver keeps in RESULTS/.batch/: its settings, what it plans, and that it lives
finished        which clips of a batch are finished, so that they are not planned again
lock            one driver for a results folder: a lock that dies with its holder, and who holds it
plan            what a run plans and what became of it: which clips come next, and what is noted of them
processes       the processes of a session on this machine: a driver's Snakemake and the jobs it started
review_command  the part that is a look before the night: `prepare`, and `approve`, `hold`, `reject`, `decide`
slurm_jobs      a batch's own jobs in SLURM's queue, found by how their names begin
slurm_states    what SLURM says of jobs that it preempted or forgot, in words that Snakemake's plugin understands
slurm_words     what Snakemake's SLURM plugin hands to a shell: a user's words that would not be taken as they stand
status          how far a batch is, read from its files alone: from any shell, with a driver or without
study_command   the user study's part of ./batch: `study` and `answers`
"""
