"""Every registered cell keeps the rules of time; a new cell is tested by existing."""

import inspect
import statistics
from pathlib import Path

import keras
import numpy as np
import pytest

from seqtasks.cells.base import cell_options
from seqtasks.cells.registration import make_cell
from seqtasks.core import plugins
from seqtasks.core.errors import ConfigError, UnknownNameError
from seqtasks.layers.time_gaps import elapsed
from seqtasks.testing import check_cell
from seqtasks.testing.cell_fixture import Subject
from seqtasks.testing.gap_rules import check_gaps

from .oracles import ORACLES

BUNDLED = [entry.name for entry in plugins.cells.entries() if entry.module.startswith("seqtasks.cells.")]
FORMS = [
    ("simple_rnn", {"activation": "relu"}),
    ("lstm", {"forget_bias": 0.0}),
    ("lstmp", {"projection": 7}),
    ("scrn", {"context": 3, "alpha": 0.5}),
    ("rhn", {"depth": 3}),
    ("mogrifier_lstm", {"rounds": 2}),
    ("echo_state", {"leak": 0.3}),
    ("lem", {"dt": 0.5}),
    ("phased_lstm", {"open_ratio": 0.6, "leak": 0.01, "period_max": 5.0}),
    ("cfc", {"backbone": 7, "depth": 3}),
    ("s4d", {"state_dim": 4}),
    ("s5", {"state_dim": 4}),
    ("lmu", {"order": 3, "theta": 4.0}),
    ("mi_rnn", {"alpha": 2.0, "beta": 0.5}),
    ("second_order_rnn", {"activation": "tanh"}),
    ("clockwork_rnn", {"modules": 3}),
    ("stack_rnn", {"stacks": 2, "depth": 4, "top": 1}),
    ("mamba", {"state_dim": 3, "dt_rank": 2}),
    pytest.param("ode_rnn", {"solver": "rk4", "solver_steps": 2, "hidden": 7}, marks=pytest.mark.slow),
]


@pytest.mark.each_cell
@pytest.mark.parametrize("name", BUNDLED)
def test_the_contract(name):
    check_cell(name, oracle=ORACLES.get(name))  # a cell without one fails `test_every_cell_has_a_second_opinion`


@pytest.mark.slow
@pytest.mark.each_cell
@pytest.mark.parametrize(("name", "options"), FORMS)
def test_the_contract_in_other_forms(name, options):
    parameters = inspect.signature(ORACLES[name]).parameters
    arguments = {option: value for option, value in options.items() if option in parameters}
    oracle = ORACLES[name] if arguments or name in ("lstm", "lstmp", "scrn") else None

    def with_options(x, states, w, **others):
        timing = {key: others[key] for key in ("gap", "observed") if key in others}
        return oracle(x, states, w, **timing, **arguments)

    check_cell(name, options, oracle=oracle and with_options)


def test_every_cell_has_a_second_opinion():
    missing = sorted(set(BUNDLED) - set(ORACLES))
    assert not missing, f"a bundled cell needs its equations once more in tests/cells/oracles; missing: {missing}"
    assert not set(ORACLES) - set(BUNDLED)


def test_there_are_more_cells_than_anywhere():
    assert len(BUNDLED) >= 45
    assert statistics.median(_lines_of_code(plugins.cells.get(name)) for name in BUNDLED) <= 60


def _lines_of_code(cls):
    """Number of lines in the file of a cell without the docstring of its class."""
    return len(Path(inspect.getfile(cls)).read_text().splitlines()) - len(cls.__doc__.splitlines())


@pytest.fixture
def gru():
    return plugins.cells.get("gru")


def test_the_contract_sees_rows_that_mix(gru, monkeypatch):
    honest = gru.step
    monkeypatch.setattr(gru, "step", lambda self, p, states: honest(self, p - keras.ops.mean(p, axis=0), states))
    with pytest.raises(AssertionError, match="padding changes no output"):
        check_cell("gru")


def test_the_contract_sees_another_function_in_keras(gru, monkeypatch):
    honest = gru.call
    monkeypatch.setattr(gru, "call", lambda self, x, states, **more: honest(self, x / 2, states))
    with pytest.raises(AssertionError, match=r"keras.layers.RNN\(cell\) returns the outputs"):
        check_cell("gru")


def test_the_contract_sees_a_forgotten_option(gru, monkeypatch):
    honest = gru.get_config
    monkeypatch.setattr(gru, "get_config", lambda self: {**honest(self), "kernel_initializer": "zeros"})
    monkeypatch.setattr(gru, "from_config", classmethod(lambda cls, config: cls(config["units"] + 1)))
    with pytest.raises(AssertionError, match=r"get_config\(\) and from_config\(\) disagree"):
        check_cell("gru")


def test_the_contract_sees_a_wrong_formula(gru, monkeypatch):
    monkeypatch.setattr(gru, "params", "3*n*(m + n + 1)")
    with pytest.raises(AssertionError, match=r"150 trainable parameters; its formula .* is 135"):
        check_cell("gru")


def test_the_contract_sees_a_gradient_that_is_cut(gru, monkeypatch):
    honest = gru.step
    cut = keras.ops.stop_gradient
    monkeypatch.setattr(gru, "step", lambda self, p, states: honest(self, p, [cut(s) for s in states]))
    with pytest.raises(AssertionError, match=r"gradients? of"):
        check_cell("gru")


def test_the_contract_sees_another_function_than_the_paper():
    def wrong(x, states, w):
        h, new = ORACLES["gru"](x, states, w)
        return h + (1e-6 if keras.backend.backend() == "tensorflow" else 1e-3), new  # elsewhere float32 is all there is

    with pytest.raises(AssertionError, match="the equations of the paper"):
        check_cell("gru", oracle=wrong)


def test_the_contract_sees_gaps_without_effect(monkeypatch):
    cfc = plugins.cells.get("cfc")
    honest = cfc.split_inputs

    def constant(self, x):
        x, gaps, observed = honest(self, x)
        return x, keras.ops.ones_like(gaps), observed

    monkeypatch.setattr(cfc, "split_inputs", constant)
    with pytest.raises(AssertionError, match="the scale of the gaps has no effect"):
        check_gaps(Subject("cfc", {}, 5), "loop")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda gaps, mask, backward: gaps, "backward gaps are those to the later step"),
        (lambda gaps, mask, backward: elapsed(gaps, None, backward), "gaps of (padding|masked steps)"),
    ],
)
def test_the_contract_sees_wrong_elapsed_times(monkeypatch, wrong, message):
    monkeypatch.setattr("seqtasks.layers.recurrent.elapsed", wrong)
    with pytest.raises(AssertionError, match=message):
        check_gaps(Subject("ct_lstm", {}, 5), "loop")


def test_the_contract_sees_values_that_were_not_observed(monkeypatch):
    gru_d = plugins.cells.get("gru_d")
    honest = gru_d.join_inputs
    monkeypatch.setattr(gru_d, "join_inputs", lambda self, x, gaps=None, observed=None: honest(self, x, gaps))
    with pytest.raises(AssertionError, match="the observation mask has no effect"):
        check_gaps(Subject("gru_d", {}, 5), "loop")


@pytest.mark.parametrize("name", BUNDLED)
def test_a_cell_is_documented_by_its_states_and_options(name):
    cls = plugins.cells.get(name)
    cell = make_cell(name, 3)
    assert cls.cell_name == name
    assert len(cell.state_size) == len(cls.states)
    own = vars(cls)["__init__"].__annotations__ if "__init__" in vars(cls) else {}
    for option in own.keys() & cell_options(cls).keys():
        assert f"{option}:" in cls.__doc__, f"{option} is not explained"
    for section in (".. math::", "Args:", "Raises:", "Reference:", "Example:"):
        assert section in cls.__doc__, f"the docstring has no {section}"


def test_what_a_cell_refuses():
    with pytest.raises(UnknownNameError, match=r"unknown cell 'lstn'; did you mean lstm\?"):
        make_cell("lstn", 3)
    with pytest.raises(ConfigError, match=r"no option 'forget_bia'; did you mean encoder.options.forget_bias\?"):
        make_cell("lstm", 3, {"forget_bia": 0})
    with pytest.raises(ConfigError, match=r"cell simple_rnn cannot be created with encoder.options .*nonsense.*; see"):
        make_cell("simple_rnn", 3, {"activation": "nonsense"})
    with pytest.raises(ConfigError, match="units is 0; allowed: ≥ 1"):
        make_cell("gru", 0)


def test_initializers_are_options_of_every_cell():
    cell = make_cell("simple_rnn", 3, {"kernel_initializer": "ones", "recurrent_initializer": "identity"})
    cell.build((None, None, 2))
    np.testing.assert_array_equal(cell.W, np.ones((2, 3)))
    np.testing.assert_array_equal(cell.U, np.eye(3))
