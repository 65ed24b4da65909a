"""Views of trained networks: activations, gates, units, gradients over time."""
