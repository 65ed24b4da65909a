"""Recurrent cells. Each file holds one cell or variants of it; `Cell`, in `base`, is their base class."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
