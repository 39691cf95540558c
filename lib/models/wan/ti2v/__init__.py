"""Wan2.2-TI2V-5B: told what to keep by a time step for each token, and a VAE of 16 pixels a cell.

adapter  load it
family   what planning must know of it, without torch
"""
