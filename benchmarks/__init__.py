"""Benchmarks of this provider and its peers against an emulated portal; see docs/benchmarks.md."""
