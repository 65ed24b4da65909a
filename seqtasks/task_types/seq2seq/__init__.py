"""Base class of tasks that generate text: translation and captioning."""
