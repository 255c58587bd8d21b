"""Helpers for tests of subgraphs and gateways."""
