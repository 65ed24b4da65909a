from .antisymmetric_rnn import AntisymmetricRNN, GatedAntisymmetricRNN
from .atr import ATR
from .base import Cell
from .br import BR, NBR
from .cfc import CfC
from .cfn import CFN
from .clockwork_rnn import ClockworkRNN
from .co_rnn import CoRNN
from .coupled_lstm import CoupledLSTM
from .ct_lstm import CTLSTM
from .delta_net import DeltaNet
from .echo_state import EchoState
from .elman import Elman, Jordan
from .exp_rnn import ExpRNN
from .fast_rnn import FastGRNN, FastRNN
from .gated_delta_net import GatedDeltaNet
from .gla import GLA
from .gru import GRU, GRUv1
from .gru_d import GRUD
from .hgrn import HGRN
from .hgrn2 import HGRN2
from .ind_rnn import IndRNN
from .intersection_rnn import IntersectionRNN
from .irnn import IRNN
from .janet import JANET
from .layernorm_gru import LayerNormGRU
from .layernorm_lstm import LayerNormLSTM
from .lem import LEM
from .li_gru import LiGRU
from .light_ru import LightRU
from .lipschitz_rnn import LipschitzRNN
from .lmu import LMU
from .lru import LRU
from .lstm import LSTM
from .lstmp import LSTMP
from .mamba import Mamba
from .mamba2 import Mamba2
from .matrix_cell import MatrixCell
from .mc_lstm import MCLSTM
from .mgu import MGU, MGU1, MGU2, MGU3
from .mi_rnn import MIRNN
from .min_gru import MinGRU
from .min_lstm import MinLSTM
from .minimal_rnn import MinimalRNN
from .mlstm import MLSTM
from .mogrifier_lstm import MogrifierLSTM
from .multiplicative_lstm import MultiplicativeLSTM
from .mut import MUT1, MUT2, MUT3
from .nas import NASCell
from .ode_rnn import ODERNN
from .original_lstm import OriginalLSTM
from .peephole_lstm import PeepholeLSTM
from .phased_lstm import PhasedLSTM
from .qrnn import QRNN
from .ran import RAN
from .registration import make_cell, register_cell
from .retnet import RetNet
from .rg_lru import RGLRU
from .rhn import RHN
from .rwkv4 import RWKV4
from .rwkv7 import RWKV7
from .s4d import S4D
from .s5 import S5
from .scrn import SCRN
from .second_order_rnn import SecondOrderRNN
from .sgrn import SGRN
from .simple_rnn import SimpleRNN
from .slstm import SLSTM
from .sru import SRU
from .stack_rnn import StackRNN
from .star import STAR
from .t_rnn import TGRU, TLSTM, TRNN
from .ugrnn import UGRNN
from .unicornn import UnICORNN
from .ur_lstm import URLSTM
from .wmc_lstm import WMCLSTM

__all__ = [
    "ATR",
    "BR",
    "CFN",
    "CTLSTM",
    "GLA",
    "GRU",
    "GRUD",
    "HGRN",
    "HGRN2",
    "IRNN",
    "JANET",
    "LEM",
    "LMU",
    "LRU",
    "LSTM",
    "LSTMP",
    "MCLSTM",
    "MGU",
    "MGU1",
    "MGU2",
    "MGU3",
    "MIRNN",
    "MLSTM",
    "MUT1",
    "MUT2",
    "MUT3",
    "NBR",
    "ODERNN",
    "QRNN",
    "RAN",
    "RGLRU",
    "RHN",
    "RWKV4",
    "RWKV7",
    "S4D",
    "S5",
    "SCRN",
    "SGRN",
    "SLSTM",
    "SRU",
    "STAR",
    "TGRU",
    "TLSTM",
    "TRNN",
    "UGRNN",
    "URLSTM",
    "WMCLSTM",
    "AntisymmetricRNN",
    "Cell",
    "CfC",
    "ClockworkRNN",
    "CoRNN",
    "CoupledLSTM",
    "DeltaNet",
    "EchoState",
    "Elman",
    "ExpRNN",
    "FastGRNN",
    "FastRNN",
    "GRUv1",
    "GatedAntisymmetricRNN",
    "GatedDeltaNet",
    "IndRNN",
    "IntersectionRNN",
    "Jordan",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LiGRU",
    "LightRU",
    "LipschitzRNN",
    "Mamba",
    "Mamba2",
    "MatrixCell",
    "MinGRU",
    "MinLSTM",
    "MinimalRNN",
    "MogrifierLSTM",
    "MultiplicativeLSTM",
    "NASCell",
    "OriginalLSTM",
    "PeepholeLSTM",
    "PhasedLSTM",
    "RetNet",
    "SecondOrderRNN",
    "SimpleRNN",
    "StackRNN",
    "UnICORNN",
    "make_cell",
    "register_cell",
]
