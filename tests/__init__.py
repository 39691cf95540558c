"""Tests: lib/ and demo/ mirror the code, file by file; workflow/ runs Snakemake for real, also on a real SLURM.

`make test` runs all but what is marked slow, in two processes, each file in one of them; `make test-slow` the rest.
What several tests look at is made once: workflow/finished_runs.py holds whole batches, which a test copies before it
changes anything. Helpers stand in modules that are no tests: example_*.py beside the tests that use them, and here
  browser        the report in a real browser
  filmed_clips   clips as a camera in a hand films them, made by code, with known truth
  slurm_cluster  a real SLURM of one node
"""
