"""Micro benchmarks of single stages, for pytest-benchmark."""
