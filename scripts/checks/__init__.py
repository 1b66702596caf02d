"""How is the repository checked: its tests and benchmarks."""
