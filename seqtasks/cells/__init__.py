"""Recurrent cells: one file a cell, or a close family. `base.Cell` is what they share."""
