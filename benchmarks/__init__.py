"""Benchmarks: the gateway beside a hand-written aggregator and its peers."""
