"""Benchmarks: each compares two ways to the same answer in one run, the sides alternating."""
