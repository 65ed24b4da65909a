"""YAML and JSON of users and of damaged files: PyYAML and json raise errors of many types, and none ends here."""

import json

import pytest
import yaml

from seqtasks.core import parsing
from seqtasks.core.parsing import NODES, parse_json, parse_yaml

LAUGHS = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n" + "".join(
    f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 9)
)


@pytest.mark.parametrize("text", ["a: 1\nb: [2, x]", "", "&a {b: &c [1], d: *c}", "2026-01-01"])
def test_what_pyyaml_reads(text):
    assert parse_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "expected ',' or ']'"),
        ("a: 2026-13-45", "a value that cannot be read .month must be in 1..12"),
        ("a: " + "9" * 5000, "a value that cannot be read"),
        ("[" * 3000, "nested more than 100 levels deep|exceeded maximum nesting depth"),  # the latter is of libyaml
        ("a: " + "[" * 200 + "]" * 200, "nested more than 100 levels deep"),
        ("\n".join(" " * level + "a:" for level in range(200)), "nested more than 100 levels deep"),
        ("&a [*a]", "nested too deeply, or a value contains itself"),
        ("&a {b: *a}", "nested too deeply, or a value contains itself"),
        (LAUGHS, f"more than {NODES:,} values, with those of aliases"),
        ("!!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(yaml.YAMLError, match=message):
        parse_yaml(text)


def test_json():
    assert parse_json('{"a": [1, null]}') == {"a": [1, None]}
    with pytest.raises(json.JSONDecodeError):
        parse_json("{")
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json("[" * 100_000)


@pytest.mark.parametrize(
    ("text", "message"),
    [("#" * 1_000_001, "more than 1,000,000 characters"), ("[" + "1," * 100_001 + "]", "more than 100,000 values")],
)
def test_long_yaml_is_refused_before_it_is_built(text, message, monkeypatch):
    monkeypatch.setattr(parsing.yaml, "load", None)
    with pytest.raises(parsing.yaml.YAMLError, match=message):
        parsing.parse_yaml(text)
