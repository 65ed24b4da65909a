"""The configuration of a run: which source wins, what is refused, what names the run folder."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import yaml

from seqtasks.core import plugins
from seqtasks.core.config import Config, EncoderConfig, NoOptions, from_dict, resolve, split_override
from seqtasks.core.config_files import MODELINE, bundled, command_line
from seqtasks.core.errors import ConfigError
from seqtasks.core.settings import flatten, setting
from seqtasks.experiments.repair import same_result

SOME_TASK = "a_task_of_the_tests"


@dataclass(frozen=True)
class Options:
    pixels: bool = setting(False, "a switch")
    rate: float | None = setting(None, "a share", ge=0)
    mode: Literal["a", "b"] = setting("a", "a choice")
    sizes: tuple[int, ...] = setting((1, 2), "several")


def config(*overrides, options=Options, **more) -> Config:
    return resolve(SOME_TASK, options, overrides, **more)


def write(path, text):
    path.write_text(text)
    return path


def test_later_sources_win(tmp_path):
    task = write(tmp_path / "task.yaml", "encoder: {cell: of_task, units: 5}\ntrain: {epochs: 2}\noptions: {mode: b}\n")
    file = write(tmp_path / "file.yaml", "encoder: {units: 6}\nseed: 4\n")
    made = config("seed=7", "seed=9", config_file=file, task_file=task)
    assert (made.seed, made.encoder.units, made.encoder.cell, made.train.epochs) == (9, 6, "of_task", 2)
    assert made.options.mode == "b"
    assert made.train.optimizer == "adam"  # stands in no file: the default of the field


def test_the_base_file_is_below_all_others(tmp_path, monkeypatch):
    base = write(tmp_path / "base.yaml", "encoder: {cell: of_base, units: 3, layers: 2}\n")
    own = write(tmp_path / f"{SOME_TASK}.yaml", "encoder: {cell: of_task, units: 4}\n")
    monkeypatch.setattr("seqtasks.core.config_files.bundled", lambda: {"base": base, SOME_TASK: own})
    encoder = config("encoder.units=5").encoder
    assert (encoder.cell, encoder.units, encoder.layers) == ("of_task", 5, 2)
    assert config(task_file=tmp_path / "absent.yaml").encoder.cell == "of_base"  # never that of a namesake


def test_a_group_given_later_replaces_what_was_typed_before():
    assert config("encoder.cell=gru", "encoder={cell: lstm}").encoder.cell == "lstm"
    assert config("encoder={cell: lstm, units: 3}", "encoder.cell=gru").encoder.units == 3


@pytest.mark.parametrize("name", sorted(set(bundled()) - {"base"}))
def test_every_bundled_file_can_be_used(name):
    made = yaml.safe_load(bundled()[name].read_text())
    task = next((t for t in sorted(plugins.tasks.names(), key=len, reverse=True) if name.startswith(t)), None)
    assert task is not None, f"configs/{name}.yaml belongs to no task"
    cls = plugins.load_task(task)
    sources, sizes = made.pop("sources", {}), made.pop("sizes", {})
    known = [({}, made), *(({"source": key}, part) for key, part in sources.items())]
    for data, part in [*known, *(({"size": key}, part) for key, part in sizes.items())]:
        leaves = resolve(task, cls.Options, config_file=name, **data).flat()
        for group, values in part.items():
            for key, value in values.items() if isinstance(values, dict) else {}:
                actual = leaves[f"{group}.{key}"]
                assert (list(actual) if isinstance(actual, tuple) else actual) == value
    assert command_line(bundled()[name]).startswith(f"seqtasks run {task}"), "its first comment runs it"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("encoder.cel=gru", r"unknown setting encoder.cel; did you mean encoder.cell\?"),
        ("encodr.cell=gru", r"unknown setting encodr; did you mean encoder\?"),
        ("train.epoch=1", r"unknown setting train.epoch; did you mean train.epochs\?"),
        ("data.sorce=x", r"unknown setting data.sorce; did you mean data.source\?"),
        ("options.pixel=1", r"unknown setting options.pixel; did you mean options.pixels\?"),
        ("epochs=1", r"unknown setting epochs; did you mean train.epochs\?"),
        ("epoch=1", r"unknown setting epoch; did you mean train.epochs\?"),
        ("pixels=true", r"unknown setting pixels; did you mean options.pixels\?"),
        ("encoder.epochs=1", r"unknown setting encoder.epochs; did you mean train.epochs\?"),
        ("options.units=1", r"unknown setting options.units; did you mean encoder.units\?"),
        ("lr=1", "unknown setting lr; allowed: seed, and settings in the groups data, encoder, train, options"),
        ("options=3", "options is 3; allowed: a group of settings"),
        ("options=false", "options is False; allowed: a group of settings"),
        ("encoder=gru", "encoder is 'gru'; allowed: a group of settings"),
        ("encoder.cell.x=1", "encoder.cell is {'x': 1}; allowed: text"),
        ("train.optimizer=adamm", r"did you mean adam\?; allowed: adam, adamw, sgd, rmsprop"),
        ("train.precision=float64", "train.precision is 'float64'"),
        ("encoder.dropout=1", "encoder.dropout is 1; allowed: ≥ 0 and < 1"),
        ("train.learning_rate=0", "train.learning_rate is 0; allowed: > 0"),
        ("seed=-1", "seed is -1; allowed: ≥ 0"),
        ("options.rate=-1", "options.rate is -1; allowed: ≥ 0"),
        ("task=other", f"the configuration is for task 'other'; allowed: '{SOME_TASK}'"),
        ("encoder.units", "'encoder.units' is not a setting; allowed: key=value"),
        ("=3", "'=3' is not a setting"),
    ],
)
def test_wrong_overrides_are_refused(override, message):
    with pytest.raises(ConfigError, match=message):
        config(override)


@dataclasses.dataclass(frozen=True)
class UnitOptions:
    """Options with a name like that of a setting of the encoder."""

    unit: str = setting("word", "unit of the text")


def test_a_name_of_another_group_does_not_hide_a_similar_one():
    with pytest.raises(ConfigError, match=r"encoder.unit; did you mean encoder.units or options.unit\?"):
        config("encoder.unit=77", options=UnitOptions)
    with pytest.raises(ConfigError, match=r"unknown setting unit; did you mean options.unit\?"):
        config("unit=word", options=UnitOptions)


def test_options_of_a_task_without_options():
    with pytest.raises(ConfigError, match=r"unknown setting options.pixels; there are none"):
        config("options.pixels=true", options=NoOptions)
    assert config("options.pixels=true", options=None).options == NoOptions()  # not read yet


def test_names_of_options_are_checked_before_the_task_is_imported(tmp_path):
    def check(*overrides, text="", names=("num_beams", "dropout")):
        file = write(tmp_path / "file.yaml", text)
        return config(*overrides, options=None, option_names=names, config_file=file).options

    for text in ("options: {beams: 3}", "options: null", "options: 3", "sizes: {10: {options: {no: 1}}}"):
        assert check("options.dropout=no number", text=text) == NoOptions()
    assert check("options.beam=3", names=None) == NoOptions()
    for words, text in ([["options.beam=3"], ""], [["options={beam: 3}"], ""], [[], "options: {beam: 3}"]):
        with pytest.raises(ConfigError, match=r"unknown setting options.beam; did you mean options.num_beams\?"):
            check(*words, text=text)
    with pytest.raises(ConfigError, match=r"unknown setting options.beam; there are none"):
        check("options.beam=3", names=())


def test_options_of_a_cell_are_numbers_where_they_look_like_numbers():
    made = config("encoder.options.forget_bias=1e-3", "encoder.options.layer=no", "encoder.options.kind=relu")
    assert made.encoder.options == {"forget_bias": 0.001, "layer": False, "kind": "relu"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not valid YAML"),
        ("\x00", "is not valid YAML"),
        ("- a\n- b", "is a list; allowed: settings"),
        ("just words", "is a str; allowed: settings"),
        ("units: 3", r"unknown setting units; did you mean encoder.units\?"),
        ("encoder:", "encoder is null; allowed: a group of settings"),
        ("encoder: {cell: no}", "encoder.cell is false; allowed: text"),
    ],
)
def test_wrong_files_are_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        config(config_file=write(tmp_path / "wrong.yaml", text))


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read configuration .*; give a YAML file"):
        config(config_file=tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"task: \xff\xfe")
    with pytest.raises(ConfigError, match="is not valid YAML"):
        config(config_file=tmp_path / "latin.yaml")
    with pytest.raises(ConfigError, match=r"there is no configuration file .*absent.yaml"):
        config(config_file=tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match=r"bas; did you mean base\?"):
        config(config_file="bas")


def test_a_missing_file_is_not_replaced_by_a_bundled_one_of_its_name(tmp_path):
    with pytest.raises(ConfigError, match="there is no configuration file"):
        config(config_file=tmp_path / "base.yaml")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("# seqtasks run a\nseed: 1\n", "seqtasks run a"),
        (f"{MODELINE}a.json\n# seqtasks run a\n# More.\n", "seqtasks run a"),
        (f"{MODELINE}a.json\nseed: 1\n# later\n", ""),
        ("", ""),
    ],
)
def test_the_command_of_a_file(tmp_path, text, command):
    assert command_line(write(tmp_path / "some.yaml", text)) == command


def test_an_empty_file_changes_nothing(tmp_path):
    assert config(config_file=write(tmp_path / "empty.yaml", "# nothing\n")) == config()


def changed(value: Any, annotation: Any) -> str:
    """A text for another value of the same setting."""
    if get_origin(annotation) is Literal:
        return next(word for word in get_args(annotation) if word != value)
    if isinstance(value, bool):
        return str(not value).lower()
    if value is None:
        return "0.5" if float in get_args(annotation) else "3"
    if isinstance(value, int):
        return str(value + 1)
    if isinstance(value, float):
        return str(value / 2 + 0.1)
    if isinstance(value, dict):
        return "{a: 1}"
    if isinstance(value, tuple):
        return "[name]" if str in get_args(annotation) else "[4]"
    return f"{value}_other"


def annotation(key: str) -> Any:
    """What a dotted key may hold."""
    *groups, name = key.split(".")
    place = config()
    for group in groups:
        place = getattr(place, group)
    return get_type_hints(type(place))[name]


LEAVES = [(key, field) for key, _, field in flatten(config())]


@pytest.mark.parametrize(("key", "field"), LEAVES, ids=[key for key, _ in LEAVES])
def test_the_identity_sees_what_changes_a_result(key, field):
    before = config()
    if key == "task":
        after = dataclasses.replace(before, task="another")
    else:
        after = config(f"{key}={changed(before.flat()[key], annotation(key))}")
    assert after.flat()[key] != before.flat()[key]
    assert (after.identity() != before.identity()) == field.metadata.get("hashed", True)


def test_the_identity_is_stable_and_mixes_in_facts():
    assert config().identity() == config("seed=0").identity() == from_dict(config().to_dict(), Options).identity()
    assert len({config().identity(*facts) for facts in [(), (1,), (2,), (1, "a"), ("1",)]}) == 5
    assert len(config().identity()) == 8 and int(config().identity(), 16) >= 0


def test_an_option_that_old_runs_lack_has_its_former_value_there_and_changes_no_name():
    @dataclass(frozen=True)
    class Later(Options):
        refit: bool = setting(True, "a later switch", absent=False)

    old, off, on = config(), config("options.refit=false", options=Later), config(options=Later)
    assert off.identity("facts") == old.identity("facts") != on.identity("facts")
    assert from_dict(old.to_dict(), Later) == off and from_dict(on.to_dict(), Later) == on
    assert same_result(off, old.to_dict()) and same_result(off, off.to_dict())
    assert not same_result(on, old.to_dict()) and not same_result(off, on.to_dict())


def test_settings_that_never_change_a_result_are_few_and_known():
    free = {key for key, field in LEAVES if not field.metadata.get("hashed", True)}
    of_training = {"eval_batch_size", "trackers", "checkpoint_seconds", "steps_per_execution", "min_updates"}
    of_training |= {"log_gradients", "accumulate", "processes"}
    # data.limit_test is a part of the fingerprint, and min_updates decides train.epochs.
    assert free == {"data.tfds_dir", "data.limit_test", *(f"train.{name}" for name in of_training)}


def test_to_dict_and_back_through_yaml_and_json():
    made = config("options.rate=1e-3", "options.sizes=[3]", "encoder.options.a=1", "train.clip_norm=null")
    values = made.to_dict()
    assert from_dict(json.loads(json.dumps(values)), Options) == made
    safe = {**values, "options": {**values["options"], "sizes": list(made.options.sizes)}}
    assert from_dict(yaml.safe_load(yaml.safe_dump(safe)), Options) == made
    with pytest.raises(ConfigError, match=r"unknown setting options.pixel; did you mean options.pixels\?"):
        from_dict({**values, "options": {"pixel": True}}, Options)


def test_flat_has_every_key_once():
    flat = config().flat()
    assert flat["encoder.cell"] == config().encoder.cell and flat["options.mode"] == "a"
    assert len(flat) == len(LEAVES)


def test_configurations_are_frozen():
    for part, name in [(config(), "seed"), (config().encoder, "units"), (EncoderConfig(), "cell")]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, name, 3)


def test_an_override_is_cut_at_its_first_sign():
    assert split_override(" data.source =files:a=b") == ("data.source", "files:a=b")


def test_a_tuple_is_the_list_that_json_gives_back():
    options = plugins.load_task("word_lm").Options
    config = resolve("word_lm", options, ["options.adaptive=[20,50]"])
    assert config.options.adaptive == (20, 50) and config.to_dict()["options"]["adaptive"] == [20, 50]
    assert from_dict(config.to_dict(), options) == config


def test_a_setting_that_utf8_cannot_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data.source=files:caf\\udce9 is not UTF-8"):
        split_override("data.source=files:caf\udce9")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_no_file_can_have_the_name(name: str) -> None:
    with pytest.raises(ConfigError, match=r"--config .* cannot be used as a path"):
        resolve("mnist_rows", None, [], name)


def test_the_former_setting_of_tensorboard_names_a_tracker(caplog):
    assert config("train.tensorboard=true").train.trackers == ("tensorboard",)
    assert caplog.messages == ["train.tensorboard=true is now called train.trackers=[tensorboard]"]
    assert config("train.tensorboard=false").train.trackers == ()
    stored = config().to_dict()
    del stored["train"]["trackers"]
    stored["train"]["tensorboard"] = True  # in a file: no message
    assert from_dict(stored, Options).train.trackers == ("tensorboard",)
    with pytest.raises(ConfigError, match=r"train\.tensorboard is 'maybe'; allowed: true or false"):
        config("train.tensorboard=maybe")
    with pytest.raises(ConfigError, match=r"are both set, but the first is a former name .* remove train\.tensorboard"):
        config("train.tensorboard=true", "train.trackers=[mlflow]")


def test_a_list_of_texts_may_be_typed_without_brackets():
    for typed in ("train.trackers=mlflow", "train.trackers=[mlflow]"):
        assert config(typed).train.trackers == ("mlflow",)
    assert config("train.trackers=mlflow,tensorboard").train.trackers == ("mlflow", "tensorboard")
