"""Schemas of configuration files accept what the tool accepts, and nothing else; jsonschema is the oracle."""

from __future__ import annotations

import dataclasses
import json
import typing
from dataclasses import dataclass
from typing import Any, Literal

import pytest
import yaml
from jsonschema import Draft202012Validator

from seqtasks.core import config_files, plugins
from seqtasks.core.config import DataConfig, EncoderConfig, TrainConfig, resolve
from seqtasks.core.errors import ConfigError
from seqtasks.core.schema import schema, to_text
from seqtasks.core.settings import build, setting

TASKS = [entry.name for entry in plugins.tasks.entries() if entry.module.startswith("seqtasks.tasks.")]
CONFIGS = config_files.bundled()
NUMBERS = (-1, 0, 1, 2, 3, 300, 8.0, 0.5, 0.999, 1.5, 30.0, 10**9)
TEXTS = ("", "a", "auto", "none", "null", "7 units", "1e-3", "6e1", "0.5", "64", "yes", "OFF", "True", "y", "maybe")
OTHERS = (None, True, False, [], [1], [1, 2], ["a"], [1.5], [None], {}, {"a": 1})


@dataclass(frozen=True)
class Inner:
    size: int = setting(8, "width", gt=0, le=64)


@dataclass(frozen=True)
class Options:
    """Options with every type that a setting can have."""

    count: int = setting(help="required", gt=1, le=9)
    word: str = setting("x", "text")
    rate: float | None = setting(0.5, "share", ge=0, lt=1)
    kind: Literal["a", "b", 3] | None = setting("a", "choice")
    mixed: Literal["auto"] | float = setting("auto", "choice or number", gt=0)
    either: str | int | None = setting(None, "text or number", ge=2)
    numbers: tuple[int, ...] | None = setting((1, 2), "several", ge=2)
    words: list[str] = setting(help="several words", factory=list)
    anything: Any = setting(None, "anything")
    free: dict[str, Any] = setting(help="mapping", factory=dict)
    plain: list = setting(help="list", factory=list)
    inner: Inner = dataclasses.field(default_factory=Inner)


def validator(*arguments: Any) -> Draft202012Validator:
    made = json.loads(to_text(schema(*arguments)))
    Draft202012Validator.check_schema(made)
    return Draft202012Validator(made)


def of_task(name: str) -> Draft202012Validator:
    return validator(name, plugins.load_task(name).Options)


def as_json(values: Any) -> Any:
    """Values of YAML as JSON has them: keys are texts."""
    return json.loads(json.dumps(values))


def accepted(cls: type, name: str, value: Any) -> bool:
    required = {f.name: 2 for f in dataclasses.fields(cls) if f.name == "count" and f.name != name}
    try:
        build(cls, {**required, name: value})
    except ConfigError:
        return False
    return True


def choices(annotation: Any) -> list[Any]:
    inner = [choice for part in typing.get_args(annotation) for choice in choices(part)]
    return list(typing.get_args(annotation)) if typing.get_origin(annotation) is Literal else inner


def differences(cls: type, group: dict[str, Any]) -> list[Any]:
    """Settings with values that only the tool or only the schema accepts."""
    names = Draft202012Validator({**group, "required": []})
    wrong = []
    for field in dataclasses.fields(cls):
        bounds = field.metadata.get("limits", {}).values()
        values = [*NUMBERS, *TEXTS, *OTHERS, *choices(typing.get_type_hints(cls)[field.name])]
        for value in [*values, *(bound + step for bound in bounds for step in (-1, -0.5, 0, 0.5, 1))]:
            both = accepted(cls, field.name, value), names.is_valid({field.name: value})
            in_quotes = isinstance(value, str) and value[-1:].isdecimal()  # neither type nor limits are checked
            if both[0] != both[1] and not (in_quotes and both[1]):
                wrong.append((field.name, value, both))
    return wrong


@pytest.mark.parametrize("cls", [Options, DataConfig, EncoderConfig, TrainConfig])
def test_a_value_is_accepted_where_the_tool_accepts_it(cls):
    definitions = validator("my_task", Options).schema["$defs"]
    group = {Options: "options", DataConfig: "data", EncoderConfig: "encoder", TrainConfig: "train"}[cls]
    assert differences(cls, definitions[group]) == []


@pytest.mark.parametrize("name", TASKS)
def test_options_are_accepted_where_the_tool_accepts_them(name):
    assert differences(plugins.load_task(name).Options, of_task(name).schema["$defs"]["options"]) == []


def test_the_comparison_can_fail():
    group = validator("my_task", Options).schema["$defs"]["options"]
    assert differences(Options, {**group, "properties": {**group["properties"], "count": {"type": "string"}}})


@pytest.mark.parametrize("name", TASKS)
def test_every_bundled_configuration_is_valid(name):
    oracle = of_task(name)
    files = [path for path in CONFIGS.values() if config_files.command_line(path).split()[:3][-1] == name]
    assert files
    for path in [*files, CONFIGS["base"]]:
        values = as_json(yaml.safe_load(path.read_text(encoding="utf-8")))
        assert list(oracle.iter_errors(values)) == [], path
        for group in ("encoder", "train", "options"):
            assert not oracle.is_valid({**values, group: {**(values.get(group) or {}), "no_such": 1}})
    assert oracle.is_valid({"task": name}) and not oracle.is_valid({"task": f"{name}_2"})
    assert oracle.is_valid(as_json(resolve(name, plugins.load_task(name).Options).to_dict())), "config.yaml of a run"


def test_the_schema_of_every_task_has_no_options():
    base = validator()
    assert base.is_valid({"task": "a", "options": {"b": 1}, "train": {"epochs": 2}})
    assert not base.is_valid({"train": {"epoch": 2}})


FILES = [
    ("", True),
    ("seed: 1", True),
    ("seed: -1", False),
    ("sed: 1", False),
    ("options:", True),
    ("encoder:", False),
    ("encoder: gru", False),
    ("encoder: {cell: no}", False),
    ("encoder: {options: {forget_bias: 1, more: [a]}}", True),
    ("encoder: {options: 1}", False),
    ("train: {learning_rate: 1e-3, jit: yes}", True),
    ("train: {learning_rate: 0}", False),
    ("train: {optimizer: adamm}", False),
    ("sources:", True),
    ("sources: {builtin: {train: {epochs: 1}}, 'tfds:mnist': {seed: 2}}", True),
    ("sources: {builtin: {train: {epoch: 1}}}", False),
    ("sources: {builtin: 1}", False),
    ("sources: {builtin: {sizes: {10: {seed: 1}}}}", False),
    ("sizes: {10: {seed: 1}, 200: {encoder: {units: 4}}}", True),
    ("sizes: {0: {seed: 1}}", False),
    ("sizes: {small: {seed: 1}}", False),
    ("sizes: {10: {encoder: {unit: 4}}}", False),
    ("- seed", False),
]


@pytest.mark.parametrize(("text", "valid"), FILES, ids=[text or "empty" for text, _ in FILES])
def test_a_file_is_accepted_where_the_tool_accepts_it(tmp_path, text, valid):
    file = tmp_path / "some.yaml"
    file.write_text(text)
    assert validator("my_task", Options).is_valid(as_json(yaml.safe_load(text))) == valid

    def read():
        for data in ({}, {"source": "builtin:x", "size": 10}):
            resolve("my_task", Options, ["options.count=2"], file, **data)

    if valid:
        read()
    else:
        with pytest.raises(ConfigError):
            read()


def test_a_setting_has_its_default_limits_and_help():
    group = schema("my_task", Options)["$defs"]["options"]["properties"]
    assert group["rate"]["description"] == "share" and group["rate"]["default"] == 0.5
    assert group["rate"]["minimum"] == 0 and group["rate"]["exclusiveMaximum"] == 1
    assert (
        group["count"]["exclusiveMinimum"] == 1 and group["count"]["maximum"] == 9 and "default" not in group["count"]
    )
    assert group["kind"]["enum"] == ["a", "b", 3, None]
    assert group["numbers"]["default"] == (1, 2) and group["free"]["default"] == {}
    assert group["inner"]["properties"]["size"]["maximum"] == 64


def test_former_names_are_deprecated():
    oracle = of_task("translation")
    assert oracle.is_valid({"options": {"beams": 3}}) and not oracle.is_valid({"options": {"beams": 0}})
    properties = oracle.schema["$defs"]["options"]["properties"]
    assert [name for name, about in properties.items() if about.get("deprecated") and name == "beams"]
    assert not properties["num_beams"].get("deprecated")


def test_a_former_name_with_other_values_has_the_type_of_these():
    former = schema()["$defs"]["train"]["properties"]["tensorboard"]
    assert former["type"] == ["boolean", "string"] and former["deprecated"] and "items" not in former


def test_the_text_has_a_line_for_each_setting():
    text = to_text(schema("my_task", Options))
    (line,) = [line for line in text.splitlines() if line.startswith('        "units": ')]
    assert json.loads(line.strip().partition(": ")[2].rstrip(","))["minimum"] == 1
    assert text.endswith("}\n") and json.loads(text)["$schema"].endswith("2020-12/schema")
