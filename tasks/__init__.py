"""Task plugins: one file each, named as the task."""
