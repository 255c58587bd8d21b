"""Whole answers, from one request to the next."""
