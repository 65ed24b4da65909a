"""Probes: generated sequences whose labels show what the state of a recurrent cell can hold."""
