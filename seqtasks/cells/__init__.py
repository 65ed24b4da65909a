"""Recurrent cells, one file each or a close family; `base.Cell` is their common base class."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
