"""Texts and YAML values become checked dataclasses, and every refusal names its key."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from seqtasks.core import settings
from seqtasks.core.errors import ConfigError
from seqtasks.core.settings import build, describe, field_name, flatten, parse, setting


@dataclass(frozen=True)
class Inner:
    rate: float = setting(0.1, "a share", ge=0, lt=1)
    size: int = setting(8, "a width", gt=0, le=64)


@dataclass(frozen=True)
class Outer:
    name: str = setting("x", "a text")
    flag: bool = setting(False, "a switch")
    often: int | None = setting(None, "null: never", ge=1)
    kind: Literal["one", "two", "no"] = setting("one", "a choice")
    level: Literal[1, 2] = setting(1, "a number of two")
    sizes: list[int] = setting(help="several", factory=list)
    words: tuple[str, ...] = setting((), "several words")
    how: Literal["auto"] | float = setting("auto", "a choice or a number")
    more: dict[str, Any] = setting(help="anything", factory=dict)
    inner: Inner = dataclasses.field(default_factory=Inner)
    folder: str = setting("runs", "where", hashed=False)


@dataclass(frozen=True)
class Needy:
    path: str = setting(help="must be given")


def typed(key, text):
    """The value of `key=text` on the command line."""
    path = key.split(".")
    values = parse(text)
    for part in reversed(path):
        values = {part: values}
    made = build(Outer, values, raw={key: text})
    for part in path:
        made = made[part] if isinstance(made, dict) else getattr(made, part)
    return made


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("inner.rate", "1e-3", 1e-3),
        ("inner.rate", "0", 0.0),
        ("inner.rate", ".5", 0.5),
        ("inner.size", "64", 64),
        ("inner.size", "6e1", 60),
        ("inner.size", "8.0", 8),
        ("flag", "yes", True),
        ("flag", "no", False),
        ("flag", "True", True),
        ("flag", "off", False),
        ("name", "no", "no"),
        ("name", "1e-3", "1e-3"),
        ("name", "007", "007"),
        ("name", "2024-01-31", "2024-01-31"),
        ("name", "files:a/b c", "files:a/b c"),
        ("name", "a=b", "a=b"),
        ("name", "{", "{"),
        ("name", "files:", "files:"),
        ("name", "lstm: 128", "lstm: 128"),
        ("name", "- a", "- a"),
        ("name", "? a", "? a"),
        ("words", "a: b,c", ("a: b", "c")),
        ("how", " auto", "auto"),
        ("often", "None", None),
        ("often", "null", None),
        ("often", "3", 3),
        ("kind", "two", "two"),
        ("kind", "no", "no"),
        ("level", "2", 2),
        ("sizes", "[1, 2]", [1, 2]),
        ("sizes", "1,2", [1, 2]),
        ("sizes", "[]", []),
        ("words", "a,b", ("a", "b")),
        ("words", "[a, b]", ("a", "b")),
        ("how", "auto", "auto"),
        ("how", "1e-2", 0.01),
        ("more.rate", "1e-3", 1e-3),
        ("more", "{a: 1, b: [x]}", {"a": 1, "b": ["x"]}),
    ],
)
def test_typed_values_are_parsed_by_type(key, text, value):
    actual = typed(key, text)
    assert actual == value and type(actual) is type(value)


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("inner.rate", "fast", "inner.rate is 'fast'; allowed: number"),
        ("inner.rate", "nan", "inner.rate is 'nan'; allowed: number"),
        ("inner.rate", ".inf", "inner.rate is inf; allowed: number"),
        ("inner.rate", "true", "inner.rate is true; allowed: number"),
        ("inner.rate", "null", "inner.rate is null; allowed: number"),
        ("inner.rate", "[1]", r"inner.rate is \[1\]; allowed: number"),
        ("inner.rate", "1", "inner.rate is 1; allowed: ≥ 0 and < 1; set inner.rate"),
        ("inner.rate", "-0.1", "inner.rate is -0.1; allowed: ≥ 0 and < 1"),
        ("inner.size", "0", "inner.size is 0; allowed: > 0 and ≤ 64"),
        ("inner.size", "65", "inner.size is 65; allowed: > 0 and ≤ 64"),
        ("inner.size", "1.5", "inner.size is 1.5; allowed: integer"),
        ("inner.size", "yes", "inner.size is true; allowed: integer"),
        ("inner.size", "", "inner.size is null; allowed: integer"),
        ("inner", "3", r"inner is 3; allowed: a group of settings; set inner.<name>="),
        ("flag", "1", "flag is 1; allowed: true or false"),
        ("flag", "maybe", "flag is 'maybe'; allowed: true or false"),
        ("often", "0", "often is 0; allowed: ≥ 1"),
        ("often", "never", "often is 'never'; allowed: integer or null"),
        ("kind", "tow", r"kind is 'tow'; did you mean two\?; allowed: one, two, no"),
        ("kind", "3", "kind is 3; allowed: one of 'one', 'two', 'no'"),
        ("level", "3", "level is 3; allowed: one of 1, 2"),
        ("level", "true", "level is true; allowed: one of 1, 2"),
        ("sizes", "3", r"sizes is 3; allowed: list of integer; write sizes=\[a,b\]"),
        ("sizes", "[1, x]", r"sizes\[1\] is 'x'; allowed: integer"),
        ("how", "slow", "how is 'slow'; allowed: one of 'auto' or number"),
        ("more", "3", "more is 3; allowed: mapping; write more={name: value}"),
        ("more", "a: 1", "more is 'a: 1'; allowed: mapping; write more={name: value}"),
        ("inner", "rate: 1", "inner is 'rate: 1'; allowed: a group of settings"),
        ("inner.size", "8:", "inner.size is '8:'; allowed: integer"),
        ("kind", "two:", r"kind is 'two:'; did you mean two\?; allowed: one, two, no"),
        ("sizes", "- 1", r"sizes is '- 1'; allowed: list of integer; write sizes=\[a,b\]"),
        ("name", "[a]", r"name is \['a'\]; allowed: text"),
    ],
)
def test_impossible_values_are_refused_by_key(key, text, message):
    with pytest.raises(ConfigError, match=message):
        typed(key, text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"nam": 1}, r"unknown setting nam; did you mean name\?"),
        ({"inner": {"sise": 1}}, r"unknown setting inner.sise; did you mean inner.size\?"),
        ({"inner": {"zzzz": 1}}, "unknown setting inner.zzzz; allowed: inner.rate, inner.size"),
        ({3: 1}, "unknown setting 3; the nearest of 11: "),
        ({"name": 3}, "name is 3; allowed: text"),
    ],
)
def test_mappings_are_checked_at_every_level(values, message):
    with pytest.raises(ConfigError, match=message):
        build(Outer, values)


def test_a_number_too_large_to_be_one_is_refused():
    with pytest.raises(ConfigError, match=r"inner.rate is .*; allowed"):
        typed("inner.rate", "9" * 400)


def test_a_setting_without_default_is_asked_for():
    assert build(Needy, {"path": "p"}).path == "p"
    with pytest.raises(ConfigError, match=r"setting needy.path has no value; give needy.path="):
        build(Needy, {}, "needy.")


def test_built_settings_are_frozen_and_share_nothing():
    values = {"more": {"a": 1}, "sizes": [1]}
    first, second = build(Outer, values), build(Outer, values)
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.name = "y"
    first.more["a"] = 2
    first.sizes.append(2)
    assert second.more == {"a": 1} and second.sizes == [1] and values == {"more": {"a": 1}, "sizes": [1]}


def test_flatten_names_every_leaf_once():
    leaves = {key: (value, field.metadata.get("hashed")) for key, value, field in flatten(build(Outer, {}))}
    assert leaves["inner.rate"] == (0.1, True) and leaves["folder"] == ("runs", False)
    assert list(leaves)[-3:] == ["inner.rate", "inner.size", "folder"] and "inner" not in leaves


def test_annotations_in_words():
    words = {
        int | None: "integer or null",
        list[float]: "list of number",
        tuple[str, ...]: "list of text",
        dict[str, Any]: "mapping",
        bool: "true or false",
        Literal["a", 1]: "one of 'a', 1",
    }
    assert {annotation: describe(annotation) for annotation in words} == words


@dataclass(frozen=True)
class Renamed:
    tie_embeddings: bool = setting(False, "share weights")
    embedding_dim: int = setting(4, "embedding size", ge=1)


def test_former_names_are_read_and_say_the_new_one_if_typed(caplog):
    settings._warn_of_name.cache_clear()  # each is said once in a process
    assert build(Renamed, {"tied": True, "embedding_dim": 3}, "options.") == Renamed(True, 3)
    assert not caplog.messages
    made = build(Renamed, {"tied": True}, "options.", {"options.tied": "true"})
    assert made == Renamed(True) and caplog.messages == ["options.tied is now called options.tie_embeddings"]
    assert build(Renamed, {"embedding": 5, "embedding_dim": 3}) == Renamed(False, 5)  # a file over the bundled one
    with pytest.raises(ConfigError, match=r"options\.embedding_dim is 0"):
        build(Renamed, {"embedding": 0}, "options.", {"options.embedding": "0"})
    with pytest.raises(ConfigError, match=r"unknown setting options\.tied"):
        build(Renamed, {"tied": True, "tie_embeddings": False}, "options.", {"options.tie_embeddings": "false"})


def test_a_name_is_looked_up_in_one_place():
    names = ["tie_embeddings", "embedding_dim"]
    assert [field_name(key, names) for key in ("tied", "embedding_dim")] == names
    with pytest.raises(ConfigError, match=r"unknown setting --tie_embedding; did you mean --tie_embeddings\?"):
        field_name("tie_embedding", names, "--")


def test_former_keywords_of_setting_work():
    with pytest.warns(DeprecationWarning, match=r"setting\(least=…\) is now setting\(ge=…\)"):
        field = setting(1, "length", least=1, model_only=True, identity=False)
    metadata = field.metadata
    assert metadata["limits"] == {"≥": 1} and not metadata["affects_data"] and not metadata["hashed"]
    with pytest.raises(TypeError, match="unexpected keyword argument 'smallest'"):
        setting(1, "length", smallest=1)
