from .attention import Attention
from .bridge import Bridge
from .character_encoder import CharacterWords
from .crf import CRF
from .decoder import Decoder
from .embedding import ActivityPenalty, Embedding, WordDropout
from .encoder import Encoder
from .glimpse import GlimpseNetwork, GlimpseSensor
from .losses import AuxiliaryLoss, SmoothedCrossentropy, TagLoss, TokenLoss
from .metrics import Nats, Perplexity, TagAccuracy, TargetPerplexity
from .permute_time import Reorder
from .pooling import Pooling
from .recurrent import Recurrent
from .recurrent_attention import Gaze
from .scheduled_sampling import ScheduledSampling
from .softmax_heads import AdaptiveSoftmaxHead, SmoothedHead, SoftmaxHead
from .speech import BlankHead, JoinSteps, SpecAugment
from .tagging_head import TagHead
from .vision import FilmReader, Places, RandomAffine

__all__ = [
    "CRF",
    "ActivityPenalty",
    "AdaptiveSoftmaxHead",
    "Attention",
    "AuxiliaryLoss",
    "BlankHead",
    "Bridge",
    "CharacterWords",
    "Decoder",
    "Embedding",
    "Encoder",
    "FilmReader",
    "Gaze",
    "GlimpseNetwork",
    "GlimpseSensor",
    "JoinSteps",
    "Nats",
    "Perplexity",
    "Places",
    "Pooling",
    "RandomAffine",
    "Recurrent",
    "Reorder",
    "ScheduledSampling",
    "SmoothedCrossentropy",
    "SmoothedHead",
    "SoftmaxHead",
    "SpecAugment",
    "TagAccuracy",
    "TagHead",
    "TagLoss",
    "TargetPerplexity",
    "TokenLoss",
    "WordDropout",
]
