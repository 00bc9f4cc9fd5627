"""What this provider and its peers do to one emulated portal; see docs/benchmarks.md."""
