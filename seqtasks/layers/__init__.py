"""Keras layers for sequences; masks are arguments or Keras's implicit masks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
