"""Whoever does long work: a thread of the worker's role, on either engine."""
