"""Readers of the layouts that data sets are published in."""
