"""Wan2.2-I2V-A14B: Wan2.1's packing, two experts that share the noise levels, no image context.

adapter  load it, with the boundary between its experts
family   what planning must know of it, without torch
"""
