"""Cells, widths and dropout rates of the layers: the forms they are given and stored in, and what is refused."""

import pytest
import yaml

from seqtasks.core.config import Config, EncoderConfig, from_dict, resolve
from seqtasks.core.config import NoOptions as Options
from seqtasks.core.errors import ConfigError
from seqtasks.experiments.compare import expand

STACK = ["encoder.cell=lstm+gru", "encoder.units=[64,128]", "encoder.dropout=[0,0.5]"]


def test_the_command_line_and_yaml_give_the_same_stack(tmp_path):
    typed = resolve("adding", None, STACK).encoder
    assert (typed.layers, typed.cells, typed.widths) == (2, ("lstm", "gru"), (64, 128))
    assert typed.dropouts == (0.0, 0.5)
    file = tmp_path / "stack.yaml"
    file.write_text("encoder:\n  cell: lstm+gru\n  units: [64, 128]\n  dropout: [0, 0.5]\n")
    assert resolve("adding", None, [], config_file=file).encoder == typed


def test_a_stack_survives_the_file_of_a_run():
    config = resolve("adding", Options, STACK)
    stored = from_dict(yaml.safe_load(yaml.safe_dump(config.to_dict())), Options)
    assert stored == config and stored.identity() == config.identity()


def test_equal_values_are_stored_as_one():
    plain = EncoderConfig(cell="gru", units=64, layers=3, dropout=0.2)
    assert EncoderConfig(cell="gru+gru+gru", units=[64] * 3, dropout=[0.2] * 3) == plain
    assert EncoderConfig(units=[64]) == EncoderConfig(units=64)
    assert EncoderConfig(merge="ave") == EncoderConfig(merge="mean")


def test_plain_settings_keep_the_hash_that_they_had():
    assert Config("adding", encoder=EncoderConfig(units=8, layers=2)).identity() == "6b6a9b5a"


def test_a_list_is_one_value_of_a_grid():
    grid = expand(["encoder.units=[64,128],32", "encoder.cell=lstm+gru,gru"])
    assert [point[0] for point in grid] == ["encoder.units=[64,128]"] * 2 + ["encoder.units=32"] * 2
    assert [point[1] for point in grid] == ["encoder.cell=lstm+gru", "encoder.cell=gru"] * 2


def test_a_file_with_a_plus_in_its_name_is_one_cell():
    assert EncoderConfig(cell="./a+b.py:mine", layers=2).cells == ("./a+b.py:mine",) * 2


def test_the_first_layer_alone():
    stack = EncoderConfig(cell="lstm+gru", units=(6, 3), dropout=(0.1, 0.2), match="lstm:8", bidirectional=True)
    expected = EncoderConfig(cell="lstm", units=6, dropout=0.1, bidirectional=True)
    assert stack.first_layer() == expected
    assert EncoderConfig(units=6, layers=3, last_units=2).first_layer() == EncoderConfig(units=6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"units": [6, 3], "layers": 3}, "encoder.layers is 3, encoder.units has 2 values; allowed: one value"),
        ({"units": [6, 3], "cell": "lstm+gru+gru"}, "encoder.cell has 3 values, encoder.units has 2 values"),
        ({"dropout": []}, "encoder.dropout has 0 values"),
        ({"cell": "lstm++gru"}, "encoder.cell is 'lstm\\+\\+gru'; allowed: a cell"),
        ({"units": [6, 3], "last_units": 2}, "last_units is 2; allowed: one of the two"),
        ({"units": [6, 3], "skip": "residual"}, "widths 6, 3 with encoder.skip=residual"),
        ({"units": [6, 3], "skip": "highway"}, "widths 6, 3 with encoder.skip=highway"),
        ({"units": [6, 3], "block": "griffin"}, "widths 6, 3 with encoder.block=griffin"),
        ({"layers": 2, "bidirectional": True, "merge": "none", "layer_norm": True}, "encoder.layer_norm=true, which"),
        ({"layers": 2, "bidirectional": True, "merge": "none", "skip": "dense"}, "encoder.skip=dense, which would mix"),
    ],
)
def test_what_cannot_be_combined_is_refused_in_one_line(settings, message):
    with pytest.raises(ConfigError, match=message) as error:
        EncoderConfig(**settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("encoder.units=[64,0]", r"encoder.units\[1\] is 0; allowed: ≥ 1"),
        ("encoder.dropout=[0.1,1]", r"encoder.dropout\[1\] is 1; allowed: ≥ 0 and < 1"),
        ("encoder.units=64,128", r"encoder.units is '64,128'.*write encoder.units=\[64,128\]"),
    ],
)
def test_values_outside_the_limits(text, message):
    with pytest.raises(ConfigError, match=message):
        resolve("adding", None, [text])
