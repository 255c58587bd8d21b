"""Spread the calls to one service over its addresses."""
