"""Bundled trackers, one file each; `seqtasks.training.tracker` has their base class."""
