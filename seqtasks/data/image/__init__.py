"""Image and video data: readers, generators and batches."""
