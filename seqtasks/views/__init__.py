"""Views of runs: reports, activations, gates, units, gradients over time."""
