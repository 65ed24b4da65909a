"""Encoders as large as a reference: formulas, the nearest number of units, and the rows and tables of such runs."""

import dataclasses

import pytest

from seqtasks.cells.registration import make_cell
from seqtasks.core import plugins
from seqtasks.core.config import EncoderConfig, parse_match, resolve
from seqtasks.core.errors import ConfigError, UnknownNameError
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder
from seqtasks.experiments.compare import expand
from seqtasks.experiments.table import build
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.parameter_matching import count, formula, match
from seqtasks.training import inference, saved_model, train
from seqtasks.training.requests import check

FEATURES = 3
SIZES = {  # the trained numbers of one layer of n units that reads m features, counted by hand
    "simple_rnn": lambda m, n: n * m + n * n + n,
    "gru": lambda m, n: 3 * (n * m + n * n + 2 * n),
    "lstm": lambda m, n: 4 * (n * m + n * n + n),
    "min_gru": lambda m, n: 2 * (n * m + n),
    "rhn": lambda m, n: 2 * n * m + 2 * (2 * n * n + 2 * n),
}


def size(cell, units, layers=1, bidirectional=False, merge="concat", skip="none", layer_norm=False):
    """The trained numbers of an encoder, by hand."""
    width, m, total = (2 if bidirectional and merge == "concat" else 1) * units, FEATURES, 0
    for _ in range(layers):
        total += (2 if bidirectional else 1) * SIZES[cell](m, units) + 2 * width * layer_norm
        total += (width * width + width) * (skip == "highway" and m == width)
        m = m + width if skip == "dense" else width
    return total


def formula_of(text, units=5, features=FEATURES, **attributes):
    cell = make_cell("simple_rnn", units)
    cell.params = text
    for name, value in attributes.items():
        setattr(cell, name, value)
    return formula(cell, features)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("m", 3),
        ("n", 5),
        ("n - m", 2),
        ("m - n - 1", -3),
        ("m + n*2", 13),
        ("(m + n)*2", 16),
        ("2*n*(m + n + 1) - 3*(n - m)", 84),
        ("depth*n + width", 19),
    ],
)
def test_a_formula_is_computed(text, value):
    assert formula_of(text, depth=3, width=4) == value


@pytest.mark.parametrize("text", ["n**2", "n/2", "n//2", "-n", "1.5*n", "max(m, n)", "n if m else 1", "'n'", "cell.n"])
def test_other_signs_are_refused(text):
    with pytest.raises(ValueError, match=r".* in the formula .* of cell simple_rnn; allowed: names"):
        formula_of(text)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"height.* in the formula n\*height of cell simple_rnn"):
        formula_of("n*height")


def test_a_cell_without_a_formula_is_named():
    with pytest.raises(ValueError, match=r"cell simple_rnn has no formula; .* add register_cell\(…, params=…\)"):
        formula_of(None)


@pytest.mark.parametrize("cell", SIZES)
def test_formula_and_count_agree_with_counting_by_hand(cell):
    for units, features in ((1, 1), (4, 7)):
        assert formula(make_cell(cell, units), features) == SIZES[cell](features, units)
        assert count(EncoderConfig(cell=cell, units=units), features) == SIZES[cell](features, units)


STACKS = [
    {},
    {"layers": 2, "bidirectional": True},
    {"layers": 2, "bidirectional": True, "merge": "sum", "layer_norm": True},
    {"layers": 3, "skip": "dense"},
    {"layers": 2, "skip": "highway"},
]


@pytest.mark.a_third
@pytest.mark.parametrize("stack", STACKS, ids=str)
@pytest.mark.parametrize(
    ("cell", "reference", "units"),
    [("gru", "lstm", 16), ("min_gru", "lstm", 12), ("rhn", "gru", 10), ("lstm", "simple_rnn", 1)],
)
def test_the_nearest_size_is_found(cell, reference, units, stack):
    config = EncoderConfig(cell=cell, units=999, match=f"{reference}:{units}", **stack)
    found = match(config, FEATURES)
    target = size(reference, units, **stack)
    misses = {n: abs(size(cell, n, **stack) - target) for n in range(1, 400)}
    assert misses[found.units] == min(misses.values())
    assert dataclasses.replace(found, units=999) == config


@pytest.mark.parametrize("cell", SIZES)
@pytest.mark.parametrize("stack", STACKS[:2], ids=str)
def test_a_cell_matched_to_itself_stays_as_it_is(cell, stack):
    for units in (1, 9):
        assert match(EncoderConfig(cell=cell, match=f"{cell}:{units}", **stack), FEATURES).units == units


def test_options_belong_to_the_cell_and_not_to_the_reference():
    config = EncoderConfig(cell="rhn", match="rhn:12", options={"depth": 4})
    wanted = SIZES["rhn"](FEATURES, 12)
    sizes = {n: 2 * n * FEATURES + 4 * (2 * n * n + 2 * n) for n in range(1, 50)}
    assert match(config, FEATURES).units == min(sizes, key=lambda n: abs(sizes[n] - wanted))


@pytest.mark.parametrize(
    ("cell", "reference", "settings"),
    [
        ("min_gru", "lstm", {"engine": "parallel"}),
        ("lstm", "rhn", {"engine": "keras"}),
        ("gru", "min_gru", {"weight_drop": 0.5}),
        ("gru", "min_gru", {"recurrent_dropout": 0.5}),
    ],
)
def test_the_reference_is_only_counted_so_it_need_not_run(cell, reference, settings):
    config = EncoderConfig(cell=cell, match=f"{reference}:8", **settings)
    assert match(config, FEATURES).units == match(EncoderConfig(cell=cell, match=config.match), FEATURES).units


@pytest.mark.parametrize("text", ["lstm", "lstm:", ":8", "", ":", "lstm:0", "lstm:-8", "lstm:8.0", "lstm:x", "a:b:8"])
def test_invalid_references_are_refused(text):
    with pytest.raises(ConfigError) as caught:
        parse_match(text)
    assert str(caught.value) == (
        f"encoder.match is {text!r}; allowed: a cell and its number of units; set e.g. encoder.match=lstm:128"
    )


def test_a_reference_is_a_name_and_a_width():
    assert parse_match("lstm:128") == ("lstm", 128)


@pytest.mark.parametrize(
    ("override", "error", "says"),
    [
        ("encoder.match=lstm", ConfigError, "encoder.match is 'lstm'"),
        ("encoder.match=lstn:8", UnknownNameError, r"unknown cell 'lstn'; did you mean lstm\?"),
        ("encoder.cell=all", UnknownNameError, "unknown cell 'all'; allowed in `seqtasks compare` only; name one cell"),
    ],
)
def test_a_run_checks_its_cells_at_once(override, error, says):
    with pytest.raises(error, match=says):
        check("adding", [override], None)


def test_run_with_all_cells_is_one_line(cli):
    code, out, err = cli("run", "adding", "encoder.cell=all")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == "seqtasks: unknown cell 'all'; allowed in `seqtasks compare` only; name one cell"


def test_all_cells_are_a_grid():
    names = plugins.cells.names()
    assert {"gru", "lstm", "nas", "lru"} < set(names) and len(names) > 50
    assert expand(["encoder.cell=all"]) == [[f"encoder.cell={name}"] for name in names]
    grid = expand(["encoder.match=lstm:8", "encoder.cell=all", "seed=0,1"])
    assert grid == [
        ["encoder.match=lstm:8", f"encoder.cell={name}", f"seed={seed}"] for name in names for seed in (0, 1)
    ]
    for point in grid:
        check("adding", point, None)


def test_value_all_is_allowed_for_cells_only():
    assert expand(["train.optimizer=all"]) == [["train.optimizer=all"]]
    with pytest.raises(ConfigError, match=r"encoder\.cell is given twice"):
        expand(["encoder.cell=all", "encoder.cell=gru"])


def run_adding(folder, *words):
    task = plugins.load_task("adding")
    small = ["options.length=5", "options.examples=64", "train.epochs=1", "encoder.units=4"]
    return train.run(resolve("adding", task.Options, [*small, *words]), task, folder, Reporter(quiet=True))


def test_a_matched_run_says_what_it_found(tmp_path):
    features = 2  # a number and its mark
    row, _ = run_adding(tmp_path, "encoder.cell=gru", "encoder.match=lstm:6")
    sizes = {n: SIZES["gru"](features, n) for n in range(1, 50)}
    units = min(sizes, key=lambda n: abs(sizes[n] - SIZES["lstm"](features, 6)))
    assert row.config["encoder"]["units"] == units != 4
    assert row.config["encoder"]["match"] == "lstm:6"
    assert row.encoder_params == sizes[units]
    assert row.params == sizes[units] + units + 1
    assert "encoder parameters matched to lstm:6" in build([row]).notes[0]

    folder = run_folder.open_run(tmp_path / row.run)
    model = saved_model.open_trained(folder)[2]
    assert next(layer for layer in model.layers if isinstance(layer, Encoder)).config.units == units
    scores = {line["score"]: line["now"] for line in inference.evaluate(folder, Reporter(quiet=True))}
    assert scores["mse"] == pytest.approx(row.value, abs=1e-6)
    assert run_adding(tmp_path, "encoder.cell=gru", "encoder.match=lstm:6") == (row, True)

    other, _ = run_adding(tmp_path, "encoder.cell=gru")
    assert other.config["encoder"]["units"] == 4 and other.run != row.run
    assert "matched" not in build([other]).notes[0]
    both = build([row, other])
    assert "matched" not in both.notes[0] and "encoder.match" in both.columns


def test_a_list_of_widths_is_scaled_by_one_factor():
    matched = match(EncoderConfig(cell="lstm", units=(64, 128), match="lstm:100"), 32)
    one, two = matched.units
    total = SIZES["lstm"](32, one) + SIZES["lstm"](one, two)
    target = SIZES["lstm"](32, 100) + SIZES["lstm"](100, 100)
    assert abs(two - 2 * one) <= 1 and abs(total - target) < 0.02 * target
    for wider in (-1, 1):  # no other width of the widest layer is nearer
        other = (round((two + wider) / 2), two + wider)
        assert abs(SIZES["lstm"](32, other[0]) + SIZES["lstm"](*other) - target) >= abs(total - target)


def test_several_cells_of_one_width_are_matched():
    units = match(EncoderConfig(cell="lstm+gru", units=8, layers=2, match="gru:50"), FEATURES).units
    total, target = SIZES["lstm"](FEATURES, units) + SIZES["gru"](units, units), size("gru", 50, layers=2)
    assert abs(total - target) < 0.05 * target
