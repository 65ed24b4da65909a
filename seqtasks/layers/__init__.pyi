from .attention import Attention
from .bidirectional import Bidirectional
from .bridge import Bridge
from .calibration import Calibration
from .character_encoder import CharacterWords
from .crf import CRF
from .decoder import Decoder
from .drop_in import GRU, LSTM, SimpleRNN
from .embedding import ActivityPenalty, Embedding, WordDropout
from .encoder import Encoder
from .forecasting import ForecastHead, IntervalCalibration, Lags, ReversibleNorm
from .glimpse import GlimpseNetwork, GlimpseSensor
from .imported_weights import from_basic_lstm, from_tf_addons, from_torch
from .losses import (
    AuxiliaryLoss,
    MultiLabelCrossentropy,
    ScaledSquaredError,
    SmoothedCrossentropy,
    TagLoss,
    TokenLoss,
)
from .metrics import Nats, Perplexity, TagAccuracy, TargetPerplexity
from .permute_time import PermuteTime
from .pooling import Pooling
from .recurrent import Recurrent
from .recurrent_attention import RecurrentAttention
from .rnn import RNN
from .scheduled_sampling import ScheduledSampling
from .softmax_heads import AdaptiveSoftmaxHead, LabelSmoothingHead, SoftmaxHead
from .speech import CTCHead, SpecAugment, TimeReduction
from .tagging_head import TagHead
from .vision import FrameEncoder, PositionEmbedding2D, RandomAffine

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "RNN",
    "ActivityPenalty",
    "AdaptiveSoftmaxHead",
    "Attention",
    "AuxiliaryLoss",
    "Bidirectional",
    "Bridge",
    "CTCHead",
    "Calibration",
    "CharacterWords",
    "Decoder",
    "Embedding",
    "Encoder",
    "ForecastHead",
    "FrameEncoder",
    "GlimpseNetwork",
    "GlimpseSensor",
    "IntervalCalibration",
    "LabelSmoothingHead",
    "Lags",
    "MultiLabelCrossentropy",
    "Nats",
    "PermuteTime",
    "Perplexity",
    "Pooling",
    "PositionEmbedding2D",
    "RandomAffine",
    "Recurrent",
    "RecurrentAttention",
    "ReversibleNorm",
    "ScaledSquaredError",
    "ScheduledSampling",
    "SimpleRNN",
    "SmoothedCrossentropy",
    "SoftmaxHead",
    "SpecAugment",
    "TagAccuracy",
    "TagHead",
    "TagLoss",
    "TargetPerplexity",
    "TimeReduction",
    "TokenLoss",
    "WordDropout",
    "from_basic_lstm",
    "from_tf_addons",
    "from_torch",
]
