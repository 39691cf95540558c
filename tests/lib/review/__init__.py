"""Tests of lib.review."""
