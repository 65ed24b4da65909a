"""The configuration of a run: frozen dataclasses, YAML files, `key=value` overrides.

Later sources win: field defaults, `configs/base.yaml`, `configs/<task>.yaml`, the file
given by `--config`, overrides. Importing this module imports no Keras.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml

from seqtasks.errors import ConfigError, suggest
from seqtasks.settings import build, flatten, parse, setting


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """For tasks without options of their own."""


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the data comes from."""

    source: str = setting("auto", "auto, tfds, builtin, or files:DIR")
    tfds_dir: str | None = setting(
        None, "folder of tensorflow-datasets; null: TFDS_DATA_DIR or its default", identity=False
    )
    limit: int | None = setting(None, "use only the first N examples of each split", least=1)


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """The recurrent encoder; the same settings for every task."""

    cell: str = setting("lstm", "a name from `seqtasks list cells`, or a file: ./my_cell.py or ./my_cell.py:name")
    units: int = setting(128, "width of the state", least=1)
    match: str | None = setting(None, "take as many units as make the encoder as large as, e.g., lstm:128")
    layers: int = setting(1, "stacked layers", least=1)
    last_units: int | None = setting(None, "width of the last layer; null: units", least=1)
    bidirectional: bool = setting(False, "read the sequence in both directions")
    merge: Literal["concat", "sum", "mean"] = setting("concat", "how the two directions are joined")
    dropout: float = setting(0.0, "on the output of every layer, fresh at each step", least=0, below=1)
    input_dropout: float = setting(0.0, "on the input of the first layer, fresh at each step", least=0, below=1)
    recurrent_dropout: float = setting(
        0.0, "on the state where it enters a recurrent product, one mask a sequence", least=0, below=1
    )
    variational_dropout: float = setting(0.0, "on the input of every layer, one mask a sequence", least=0, below=1)
    variational_input: float | None = setting(
        None, "the same on the input of the first layer; null: variational_dropout", least=0, below=1
    )
    weight_drop: float = setting(0.0, "on the recurrent matrices, one mask a batch", least=0, below=1)
    zoneout: float = setting(0.0, "chance of a state to keep its old value at a step", least=0, below=1)
    skip: Literal["none", "residual", "highway", "dense"] = setting(
        "none", "residual or gated (highway) sums where the widths agree; dense: a layer reads all below it"
    )
    layer_norm: bool = setting(False, "layer normalisation of every layer's output")
    engine: Literal["auto", "native", "keras", "parallel", "loop"] = setting("auto", "what runs the time loop")
    options: dict[str, Any] = setting(help="options of the cell, e.g. encoder.options.forget_bias=0", factory=dict)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Optimisation and the length of training."""

    epochs: int = setting(10, "passes over the training split", least=1)
    batch_size: int = setting(128, "examples a step", least=1)
    eval_batch_size: int = setting(500, "examples a batch when scoring", least=1, identity=False)
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = setting("adam", "the update rule")
    learning_rate: float = setting(2e-3, "at the start", above=0)
    momentum: float = setting(0.9, "of sgd", least=0, below=1)
    weight_decay: float = setting(0.0, "decoupled, for adamw", least=0)
    schedule: Literal["constant", "cosine", "plateau", "exponential", "step"] = setting(
        "cosine", "of the learning rate"
    )
    warmup_epochs: float = setting(0.0, "linear rise before the cosine", least=0)
    decay: float = setting(0.5, "factor of plateau (each time), exponential and step (each epoch)", above=0, below=1)
    decay_after: int = setting(1, "epochs at the first learning rate, for step", least=1)
    patience: int = setting(2, "epochs without progress before plateau acts", least=1)
    clip_norm: float | None = setting(1.0, "largest global norm of the gradient; null: no clipping", above=0)
    average: Literal["none", "ema", "nt_asgd", "epochs"] = setting(
        "none",
        "score and keep an average of the weights: decaying (ema), the mean since progress ended (nt_asgd), or that of "
        "the ends of the last epochs (epochs)",
    )
    ema_momentum: float = setting(0.999, "of average=ema", least=0, below=1)
    last_epochs: int = setting(5, "of average=epochs: how many, counted from train.epochs", least=1)
    nonmono: int = setting(5, "epochs without progress before average=nt_asgd begins", least=1)
    early_stopping: int | None = setting(None, "stop after so many epochs without progress; null: never", least=1)
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = setting("float32", "of the arithmetic")
    jit: bool = setting(False, "compile the training step with XLA")
    steps_per_execution: int = setting(
        1,
        "training steps in one call of TensorFlow, one where weights are averaged: small models train faster, "
        "stops come after so many",
        least=1,
        identity=False,
    )
    tensorboard: bool = setting(False, "write TensorBoard logs (extra: tensorboard)", identity=False)
    checkpoint_seconds: float = setting(30.0, "time between checkpoints inside an epoch", above=0, identity=False)


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides a run."""

    task: str = setting(help="a name from `seqtasks list tasks`, or a file")
    seed: int = setting(0, "of weights, order and dropout", least=0)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    encoder: EncoderConfig = dataclasses.field(default_factory=EncoderConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    options: Any = dataclasses.field(default_factory=NoOptions)

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, ready for YAML or JSON."""
        return dataclasses.asdict(self, dict_factory=_plain)

    def flat(self) -> dict[str, Any]:
        """Dotted keys to values."""
        return {key: value for key, value, _ in flatten(self)}

    def identity(self, *more: Any) -> str:
        """Eight hex digits that change with every setting that can change a result.

        Args:
            more: further facts to mix in: the task's version, the data's fingerprint.
        """
        keep = {key: value for key, value, field in flatten(self) if field.metadata.get("identity", True)}
        text = json.dumps([keep, more], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def _plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """What YAML and JSON give back: lists where a setting is a tuple."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in items}


def resolve(
    task: str,
    options: type | None,
    overrides: Iterable[str] = (),
    config_file: str | Path | None = None,
    task_file: Path | None = None,
) -> Config:
    """The configuration of a run of `task`.

    Args:
        task: the task's name.
        options: the task's `Options` dataclass; None leaves `options.*` unread, for a
            check of the rest before the task is imported.
        overrides: `key=value` texts.
        config_file: a YAML file, or the name of a bundled one.
        task_file: the task's own YAML, for a task that is not bundled.

    Raises:
        ConfigError: an unknown key, a value that is not allowed, an unreadable file.
    """
    values: dict[str, Any] = {}
    for path in _files(task, config_file, task_file):
        _merge(values, read_yaml(path))
    raw: dict[str, str] = {}
    for text in overrides:
        key, value = split_override(text)
        raw = {k: v for k, v in raw.items() if not k.startswith(f"{key}.")} | {key: value}
        _merge(values, _nest(key, parse(value)))
    given = values.pop("task", task)
    if given != task:
        raise ConfigError(f"the configuration is for task {given!r}, not {task!r}; run that task or use another file")
    own = values.pop("options", None)
    own = {} if own is None else own
    config = build(Config, {"task": task, **values}, raw=raw)
    if options is None:
        return config
    if not isinstance(own, Mapping):
        raise ConfigError(f"options is a group of settings, not {own!r}; set options.<name>=…")
    return dataclasses.replace(config, options=build(options, own, "options.", raw))


def option_names(
    task: str, overrides: Iterable[str], config_file: str | Path | None = None, task_file: Path | None = None
) -> list[str]:
    """The names of `options.*` that files and overrides set; arguments as of `resolve`."""
    values: dict[str, Any] = {}
    for path in _files(task, config_file, task_file):
        options = read_yaml(path).get("options")
        values |= options if isinstance(options, dict) else {}
    keys = [split_override(text)[0].split(".") for text in overrides]
    return [*map(str, values), *(key[1] for key in keys if key[0] == "options" and len(key) > 1)]


def from_dict(values: Mapping[str, Any], options: type) -> Config:
    """The inverse of `Config.to_dict`."""
    rest = dict(values)
    own = rest.pop("options", {}) or {}
    return dataclasses.replace(build(Config, rest), options=build(options, own, "options."))


def split_override(text: str) -> tuple[str, str]:
    """`("encoder.units", "64")` from `"encoder.units=64"`.

    Raises:
        ConfigError: there is no `=`.
    """
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"cannot read {text!r}; settings are written key=value, e.g. encoder.units=64")
    return key.strip(), value


def parse_match(text: str) -> tuple[str, int]:
    """`("lstm", 128)` from `"lstm:128"`, the value of `encoder.match`.

    Raises:
        ConfigError: it is not a name and a width.
    """
    name, _, units = text.partition(":")
    if not name or not units.isdecimal() or int(units) < 1:
        raise ConfigError(f"encoder.match is {text!r}; allowed: a cell and its units, e.g. encoder.match=lstm:128")
    return name, int(units)


def read_yaml(path: Path) -> dict[str, Any]:
    """A mapping from a YAML file.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or is not a mapping.
    """
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read configuration {path}: {error.strerror}; give a YAML file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} is not valid YAML: {reason}; correct the file") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path} holds a {type(loaded).__name__}, not settings; write `key: value` lines")
    return loaded


def bundled() -> dict[str, Path]:
    """The YAML files that come with seqtasks, by name."""
    folder = Path(str(resources.files("seqtasks.configs")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _files(task: str, config_file: str | Path | None, task_file: Path | None) -> list[Path]:
    own = bundled()
    paths = [own["base"]]
    if task_file is not None and task_file.is_file():
        paths.append(task_file)
    elif task_file is None and task in own:
        paths.append(own[task])
    if config_file is not None:
        path = Path(config_file)
        if not path.exists() and path.stem in own and path.parent in (Path(), Path("configs")):
            path = own[path.stem]
        elif not path.exists():
            hint = suggest(path.stem, own, see="`seqtasks list configs`")
            raise ConfigError(f"there is no configuration file {path}; give a file or a bundled name; {hint}")
        paths.append(path)
    return paths


def _nest(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value
