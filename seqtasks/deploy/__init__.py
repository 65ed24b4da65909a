"""Models outside of training: export, serving, sharing."""
