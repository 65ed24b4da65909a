"""Every cell once more, as its paper writes it: float64 NumPy, gate by gate, one step of one sequence."""

from collections.abc import Callable

from . import classic, continuous, deep, dynamics, gates, history, linear, matrix, memory, state_space

NAMES = {
    classic: "simple_rnn irnn elman jordan lstm original_lstm peephole_lstm lstmp coupled_lstm layernorm_lstm "
    "gru gru_v1 layernorm_gru",
    gates: "mgu mgu1 mgu2 mgu3 ugrnn intersection_rnn janet minimal_rnn atr sgrn light_ru li_gru ran cfn star "
    "fast_rnn fast_grnn",
    deep: "nas rhn multiplicative_lstm mogrifier_lstm wmc_lstm mc_lstm slstm ur_lstm mi_rnn second_order_rnn",
    dynamics: "ind_rnn antisymmetric_rnn gated_antisymmetric_rnn co_rnn unicornn lem lipschitz_rnn echo_state exp_rnn",
    linear: "t_rnn min_gru min_lstm sru lru",
    matrix: "mlstm retnet gla delta_net gated_delta_net mamba2 hgrn2 rwkv7",
    continuous: "gru_d phased_lstm cfc ode_rnn ct_lstm",
    memory: "lmu clockwork_rnn stack_rnn",
    state_space: "s4d s5 mamba rg_lru hgrn rwkv4",
    history: "scrn t_gru t_lstm qrnn mut1 mut2 mut3 br nbr",
}

ORACLES: dict[str, Callable] = {
    name: getattr(module, name) for module, names in NAMES.items() for name in names.split()
}
