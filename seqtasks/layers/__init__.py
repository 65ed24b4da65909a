"""Keras layers for sequences; each takes its mask as an argument or reads Keras's implicit one."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
