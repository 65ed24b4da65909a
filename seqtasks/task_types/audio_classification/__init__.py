"""Classification of audio recordings."""
