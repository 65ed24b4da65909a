"""Recurrent cells, one or several variants in each file.

`Cell` is their base class, `make_cell` creates a cell by name, and `register_cell` registers a new one.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
