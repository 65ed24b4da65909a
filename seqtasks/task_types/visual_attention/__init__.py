"""Image classification by glimpses (recurrent visual attention)."""
