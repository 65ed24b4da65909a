from .beam_search import BeamSearch
from .ctc import prefix_beam_search
from .sampling import Sampler
from .seq2seq import Seq2SeqGenerator

__all__ = [
    "BeamSearch",
    "Sampler",
    "Seq2SeqGenerator",
    "prefix_beam_search",
]
