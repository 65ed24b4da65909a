from .beam_search import BeamSearch
from .ctc import prefix_beam_search
from .sampling import Sampler
from .seq2seq import Writer

__all__ = [
    "BeamSearch",
    "Sampler",
    "Writer",
    "prefix_beam_search",
]
