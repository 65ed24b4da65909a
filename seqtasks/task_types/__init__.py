"""Base classes of tasks: `Task`, and one folder for each type of task."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
