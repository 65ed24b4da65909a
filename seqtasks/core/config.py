"""The configuration of a run: frozen dataclasses, YAML files, `key=value` overrides.

Later values win: field defaults, `configs/base.yaml`, `configs/<task>.yaml` with its sections for
the data, the file given by `--config`, overrides. Importing this module imports no Keras.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from seqtasks.core import config_files
from seqtasks.core.aliases import former_of_present
from seqtasks.core.errors import ConfigError
from seqtasks.core.files import is_utf8, shown
from seqtasks.core.settings import build, flatten, parse, setting


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """For tasks without options of their own."""


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the data comes from."""

    source: str = setting("auto", "data source: auto, tfds, builtin, or files:DIR")
    tfds_dir: str | None = setting(
        None, "folder of tensorflow-datasets; null: TFDS_DATA_DIR or its default", hashed=False
    )
    limit: int | None = setting(
        None,
        "maximum number of training examples, and of validation examples (language models: characters); applied "
        "before vocabulary and splits are made",
        ge=1,
    )
    limit_test: int | None = setting(None, "maximum number of test examples, for a quick run", ge=1, hashed=False)


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """The recurrent encoder; the same settings for every task."""

    cell: str = setting(
        "lstm", "recurrent cell: a name from `seqtasks list cells`, or a file: ./my_cell.py or ./my_cell.py:name"
    )
    units: int = setting(128, "number of hidden units of each layer", ge=1)
    match: str | None = setting(None, "set units so that the encoder has as many parameters as this one, e.g. lstm:128")
    layers: int = setting(1, "number of stacked layers", ge=1)
    last_units: int | None = setting(None, "number of hidden units of the last layer; null: units", ge=1)
    bidirectional: bool = setting(False, "read the sequence in both directions")
    merge: Literal["concat", "sum", "mean"] = setting("concat", "how the outputs of the two directions are combined")
    dropout: float = setting(0.0, "dropout rate on the output of each layer, a new mask at each step", ge=0, lt=1)
    input_dropout: float = setting(
        0.0, "dropout rate on the input of the first layer, a new mask at each step", ge=0, lt=1
    )
    recurrent_dropout: float = setting(
        0.0, "dropout rate on the state in recurrent products, one mask for each sequence", ge=0, lt=1
    )
    variational_dropout: float = setting(
        0.0, "dropout rate on the input of each layer, one mask for each sequence", ge=0, lt=1
    )
    variational_input: float | None = setting(
        None, "variational dropout rate on the input of the first layer; null: variational_dropout", ge=0, lt=1
    )
    weight_drop: float = setting(
        0.0, "dropout rate on the recurrent weights, one mask for each batch (DropConnect)", ge=0, lt=1
    )
    zoneout: float = setting(0.0, "zoneout rate: probability that a state keeps its previous value", ge=0, lt=1)
    skip: Literal["none", "residual", "highway", "dense"] = setting(
        "none",
        "residual or highway connections where the widths agree; dense: each layer reads all below it",
    )
    layer_norm: bool = setting(False, "layer normalisation of the output of each layer")
    engine: Literal["auto", "native", "keras", "parallel", "loop"] = setting("auto", "implementation of the time loop")
    options: dict[str, Any] = setting(help="options of the cell, e.g. encoder.options.forget_bias=0", factory=dict)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Optimisation and the length of training."""

    epochs: int | None = setting(None, "number of epochs; null: as many as min_updates needs", ge=1)
    min_updates: int = setting(
        2000,
        "minimum number of weight updates where epochs is null; small data then trains for more epochs",
        ge=1,
        hashed=False,
    )
    batch_size: int = setting(128, "number of examples of each training batch", ge=1)
    eval_batch_size: int = setting(500, "number of examples of each batch in validation and test", ge=1, hashed=False)
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = setting("adam", "optimizer")
    learning_rate: float = setting(2e-3, "initial learning rate", gt=0)
    momentum: float = setting(0.9, "SGD momentum", ge=0, lt=1)
    weight_decay: float = setting(0.0, "decoupled weight decay of adamw", ge=0)
    schedule: Literal["constant", "cosine", "plateau", "exponential", "step"] = setting(
        "cosine", "learning rate schedule"
    )
    warmup_epochs: float = setting(0.0, "number of epochs of linear warm-up before the cosine", ge=0)
    decay: float = setting(
        0.5, "learning rate factor of plateau (at each plateau), exponential and step (at each epoch)", gt=0, lt=1
    )
    decay_after: int = setting(1, "number of epochs at the initial learning rate, for step", ge=1)
    patience: int = setting(2, "number of epochs without improvement before plateau lowers the learning rate", ge=1)
    clip_norm: float | None = setting(1.0, "maximum global norm of the gradient; null: no clipping", gt=0)
    average: Literal["none", "ema", "nt_asgd", "epochs"] = setting(
        "none",
        "average of the weights that is scored and saved: exponential moving average (ema), mean since validation "
        "stopped improving (nt_asgd), or mean over the ends of the last epochs (epochs)",
    )
    ema_momentum: float = setting(0.999, "decay of the moving average for average=ema", ge=0, lt=1)
    last_epochs: int = setting(5, "number of last epochs that average=epochs averages over", ge=1)
    nonmono: int = setting(5, "number of epochs without improvement before average=nt_asgd begins", ge=1)
    early_stopping: int | None = setting(
        None,
        "number of epochs without improvement before training stops; null: never, or a quarter of many computed epochs",
        ge=1,
    )
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = setting("float32", "numerical precision")
    jit: bool = setting(False, "compile the training step with XLA")
    steps_per_execution: int = setting(
        1,
        "number of training steps in one TensorFlow call (1 where weights are averaged): small models train faster, "
        "and an interruption waits for the call",
        ge=1,
        hashed=False,
    )
    tensorboard: bool = setting(False, "write TensorBoard logs (extra: tensorboard)", hashed=False)
    checkpoint_seconds: float = setting(30.0, "seconds between checkpoints inside an epoch", gt=0, hashed=False)

    @property
    def known_epochs(self) -> int:
        """`epochs` of a run whose data is known, see `resolution.with_epochs`."""
        assert self.epochs is not None
        return self.epochs


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides a run."""

    task: str = setting(help="a name from `seqtasks list tasks`, or a file")
    seed: int = setting(0, "random seed of weights, order and dropout", ge=0)
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

    def identity(self, *more: Any, former_names: bool = False) -> str:
        """Eight hex digits that change with every setting that can change a result.

        Args:
            more: Further facts that are hashed: the task's version, the data's fingerprint.
            former_names: Hash the names that options had in seqtasks 0.1.
        """
        names = former_of_present(self.to_dict()["options"]) if former_names else {}
        keep = {names.get(key, key): value for key, value, field in flatten(self) if field.metadata.get("hashed", True)}
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
    source: str | None = None,
    size: int | None = None,
) -> Config:
    """The configuration of a run of `task`.

    Args:
        task: the task's name.
        options: the task's `Options` dataclass; None leaves `options.*` unread, for a
            check of the rest before the task is imported.
        overrides: `key=value` texts.
        config_file: a YAML file, or the name of a bundled one.
        task_file: the task's own YAML, for a task that is not bundled.
        source: the data source that was chosen, e.g. `builtin:digits`; its section of a file applies.
        size: training examples; the section of a file for so small a training split applies.

    Raises:
        ConfigError: an unknown key, a value that is not allowed, an unreadable file.
    """
    values: dict[str, Any] = {}
    for path in config_files.paths(task, config_file, task_file):
        config_files.merge(values, config_files.read(path, source, size))
    raw: dict[str, str] = {}
    for text in overrides:
        key, value = split_override(text)
        raw = {k: v for k, v in raw.items() if not k.startswith(f"{key}.")} | {key: value}
        config_files.merge(values, config_files.nest(key, parse(value)))
    configured_task = values.pop("task", task)
    if configured_task != task:
        raise ConfigError(
            f"the configuration is for task {configured_task!r}, not {task!r}; run that task or use another file"
        )
    option_values = values.pop("options", None)
    option_values = {} if option_values is None else option_values
    config = build(Config, {"task": task, **values}, raw=raw)
    if options is None:
        return config
    if not isinstance(option_values, Mapping):
        raise ConfigError(f"options is a group of settings, not {option_values!r}; set options.<name>=…")
    return dataclasses.replace(config, options=build(options, option_values, "options.", raw))


def option_names(
    task: str, overrides: Iterable[str], config_file: str | Path | None = None, task_file: Path | None = None
) -> list[str]:
    """The names of `options.*` that files and overrides set; arguments as of `resolve`."""
    values: dict[str, Any] = {}
    for path in config_files.paths(task, config_file, task_file):
        options = config_files.read_yaml(path).get("options")
        values |= options if isinstance(options, dict) else {}
    keys = [split_override(text)[0].split(".") for text in overrides]
    return [*map(str, values), *(key[1] for key in keys if key[0] == "options" and len(key) > 1)]


def from_dict(values: Mapping[str, Any], options: type) -> Config:
    """The inverse of `Config.to_dict`."""
    settings = dict(values)
    option_values = settings.pop("options", {}) or {}
    return dataclasses.replace(build(Config, settings), options=build(options, option_values, "options."))


def check_texts(config: Config) -> None:
    """Refuses texts that no file name and no result row can hold.

    Raises:
        ConfigError: a text with NUL, or one that is not UTF-8.
    """
    for key, value in config.flat().items():
        if isinstance(value, str) and ("\0" in value or not is_utf8(value)):
            raise ConfigError(f"{key} is {shown(value)!r}; allowed: text in UTF-8 without NUL; set {key}=…")


def split_override(text: str) -> tuple[str, str]:
    """`("encoder.units", "64")` from `"encoder.units=64"`.

    Raises:
        ConfigError: there is no `=`.
    """
    key, sign, value = text.partition("=")
    if not is_utf8(text):
        raise ConfigError(f"the setting {shown(text)} is not UTF-8; rename what it names, or set the terminal to UTF-8")
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
