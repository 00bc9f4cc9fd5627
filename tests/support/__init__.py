"""Helpers that tests of several packages, and the benchmarks, share."""
