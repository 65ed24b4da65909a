"""The configuration of a run: frozen dataclasses, YAML files, `key=value` overrides.

A value is taken from the last of these that sets it: defaults of the fields, `configs/base.yaml`,
`configs/<task>.yaml` with its sections for the data, the file of `--config`, overrides. Importing
this module does not import Keras.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from seqtasks.core import config_files, layer_values
from seqtasks.core.aliases import former_of_present, present_name
from seqtasks.core.errors import TASK_SETTINGS, ConfigError, nearest
from seqtasks.core.files import is_utf8, shown
from seqtasks.core.settings import build, field_name, flatten, is_hashed, parse, setting


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """Options of a task that has none."""


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Settings `data.*`: the source of the data, and limits on its size."""

    source: str = setting(
        "auto", "data source: auto, tfds, builtin, files:DIR, or a set of another package such as aeon:NAME"
    )
    tfds_dir: str | None = setting(
        None, "folder of tensorflow-datasets; null: TFDS_DATA_DIR or its default", hashed=False
    )
    limit: int | None = setting(
        None,
        "maximum number of training examples, and of validation examples (language models: of characters); applied "
        "before the vocabulary is built and the data is split",
        ge=1,
    )
    limit_test: int | None = setting(None, "maximum number of test examples, for a quick run", ge=1, hashed=False)


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """Settings `encoder.*` of the recurrent encoder, the same for every task.

    Attributes: see `seqtasks show TASK`, or the help text of each field.

    Cells, widths and dropout rates of the layers may differ: `cell="lstm+gru"`, `units=(64, 128)`,
    `dropout=(0.2, 0.5)`, from the first layer to the last. They set `layers`. Equal values are stored as one, so
    `units=(64, 64)` is `units=64, layers=2` and names the same run.

    Raises:
        ConfigError: Numbers of cells, widths, rates and layers that differ, or a setting that needs equal widths.

    Example:
        >>> from seqtasks import EncoderConfig
        >>> EncoderConfig(cell="gru", units=64, layers=2).bidirectional
        False
        >>> stack = EncoderConfig(cell="lstm+gru", units=(64, 128))
        >>> stack.layers, stack.cells, stack.widths
        (2, ('lstm', 'gru'), (64, 128))
    """

    cell: str = setting(
        "lstm",
        "recurrent cell: a name from `seqtasks list cells`, or a file: ./my_cell.py or ./my_cell.py:name; or names "
        "joined by +, one for each layer: lstm+gru",
    )
    units: int | tuple[int, ...] = setting(
        128, "number of hidden units of each layer, or a list with one number for each: [64,128]", ge=1
    )
    match: str | None = setting(None, "set units so that the encoder has as many parameters as this one, e.g. lstm:128")
    block: Literal["none", "gated", "xlstm", "griffin"] = setting(
        "none",
        "what surrounds the cell in each layer (convolution, gate, normalisation, feed-forward), as in Mamba (gated), "
        "xLSTM or Griffin",
        absent="none",
    )
    layers: int = setting(1, "number of stacked layers", ge=1)
    last_units: int | None = setting(None, "number of hidden units of the last layer; null: units", ge=1)
    bidirectional: bool = setting(False, "read the sequence in both directions")
    merge: Literal["concat", "sum", "mean", "ave", "mul", "none"] = setting(
        "concat",
        "how the outputs of the two directions are combined (ave is mean); none: each direction reads its own outputs "
        "of the layer below, and only those of the last layer are concatenated",
    )
    dropout: float | tuple[float, ...] = setting(
        0.0,
        "dropout rate on the output of each layer, a new mask at each step, or a list of one rate for each: [0.2,0.5]",
        ge=0,
        lt=1,
    )
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
        "skip connections between layers: residual or highway (where the widths agree), or dense (each layer reads "
        "the outputs of all layers below)",
    )
    layer_norm: bool = setting(False, "layer normalisation of the output of each layer")
    engine: Literal["auto", "native", "keras", "parallel", "loop"] = setting(
        "auto", "implementation of the loop over time; auto: the fastest one that can run the cell"
    )
    options: dict[str, Any] = setting(help="options of the cell, e.g. encoder.options.forget_bias=0", factory=dict)

    def __post_init__(self) -> None:
        layers = layer_values.number_of_layers(self.cell, self.units, self.dropout, self.layers)
        one = layer_values.one_or_each
        values: dict[str, Any] = {"layers": layers, "units": one(self.units), "dropout": one(self.dropout)}
        values |= {"cell": layer_values.joined(self.cell), "merge": "mean" if self.merge == "ave" else self.merge}
        for name, value in values.items():
            object.__setattr__(self, name, value)
        layer_values.check_widths(self)

    @property
    def cells(self) -> tuple[str, ...]:
        """Name of the cell of each layer, or its file."""
        names = layer_values.names(self.cell)
        return names if len(names) > 1 else names * self.layers

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of hidden units of each layer."""
        if isinstance(self.units, int):
            return (self.units,) * (self.layers - 1) + (self.last_units or self.units,)
        return self.units

    @property
    def dropouts(self) -> tuple[float, ...]:
        """Dropout rate on the output of each layer."""
        return self.dropout if isinstance(self.dropout, tuple) else (self.dropout,) * self.layers

    def first_layer(self) -> EncoderConfig:
        """The settings of an encoder that has only the first layer, without `match`."""
        units = self.units if isinstance(self.units, int) else self.units[0]
        one: dict[str, Any] = {"cell": self.cells[0], "units": units, "dropout": self.dropouts[0], "layers": 1}
        return dataclasses.replace(self, **one, last_units=None, match=None)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Settings `train.*`: optimisation and length of training."""

    epochs: int | None = setting(None, "number of epochs; null: the fewest that make min_updates updates", ge=1)
    min_updates: int = setting(
        2000,
        "minimum number of weight updates if epochs is null, so that small data is trained for more epochs",
        ge=1,
        hashed=False,
    )
    batch_size: int = setting(128, "number of examples of each training batch", ge=1)
    eval_batch_size: int = setting(500, "number of examples of each batch in validation and test", ge=1, hashed=False)
    accumulate: int = setting(
        1,
        "number of parts of each training batch that are computed one after the other before its update (gradient "
        "accumulation): more parts need less memory; the update is that of the whole batch",
        ge=1,
        hashed=False,
    )
    processes: int = setting(
        1,
        "number of processes that divide the rows of each training batch among them; above 1 only with "
        "KERAS_BACKEND=jax",
        ge=1,
        hashed=False,
    )
    start: str | None = setting(
        None,
        "finished run whose weights the model starts from: its folder, or its name in --runs; null: random weights",
        absent=None,
    )
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = setting("adam", "optimisation algorithm")
    learning_rate: float = setting(2e-3, "initial learning rate", gt=0)
    momentum: float = setting(0.9, "SGD momentum", ge=0, lt=1)
    weight_decay: float = setting(0.0, "decoupled weight decay of adamw", ge=0)
    schedule: Literal["constant", "cosine", "plateau", "exponential", "step"] = setting(
        "cosine", "learning rate schedule"
    )
    warmup_epochs: float = setting(0.0, "number of epochs of linear warm-up before the cosine schedule", ge=0)
    decay: float = setting(
        0.5,
        "factor of the learning rate: at each plateau (schedule plateau) or each epoch (exponential, step)",
        gt=0,
        lt=1,
    )
    decay_after: int = setting(1, "number of epochs at the initial learning rate (schedule step)", ge=1)
    patience: int = setting(
        2, "number of epochs without improvement after which the schedule plateau lowers the learning rate", ge=1
    )
    clip_norm: float | None = setting(1.0, "maximum global norm of the gradient; null: no clipping", gt=0)
    average: Literal["none", "ema", "nt_asgd", "epochs"] = setting(
        "none",
        "weight average that is scored and saved: exponential moving average (ema), mean since validation stopped "
        "improving (nt_asgd), or mean over the ends of the last epochs (epochs)",
    )
    ema_momentum: float = setting(0.999, "decay of the exponential moving average (average=ema)", ge=0, lt=1)
    last_epochs: int = setting(5, "number of last epochs that are averaged (average=epochs)", ge=1)
    nonmono: int = setting(5, "number of epochs without improvement before averaging begins (average=nt_asgd)", ge=1)
    early_stopping: int | None = setting(
        None,
        "number of epochs without improvement after which training stops; null: never, but a quarter of the epochs "
        "(at least 10) where min_updates needs more than 20",
        ge=1,
    )
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = setting(
        "float32", "numerical precision; mixed_*: computes in 16 bits and keeps weights in float32"
    )
    jit: bool = setting(False, "compile the training step with XLA")
    steps_per_execution: int = setting(
        1,
        "number of training steps in one TensorFlow call (always 1 with a weight average): more is faster for small "
        "models, but an interruption waits for the end of the call",
        ge=1,
        hashed=False,
    )
    trackers: tuple[str, ...] = setting(
        (),
        "trackers that record the run, names from `seqtasks list trackers`: tensorboard, mlflow",
        hashed=False,
    )
    log_gradients: bool = setting(
        False,
        "record the gradient norm of each layer in every update, and the share of clipped updates, in gradients.csv "
        "and history.csv; with train.trackers=[tensorboard] also histograms of the gradients",
        hashed=False,
    )
    checkpoint_seconds: float = setting(
        30.0, "minimum time between two checkpoints inside an epoch, in seconds", gt=0, hashed=False
    )

    @property
    def known_epochs(self) -> int:
        """`epochs` of a resolved configuration, never None; see `resolution.with_epochs`."""
        assert self.epochs is not None
        return self.epochs


@dataclasses.dataclass(frozen=True)
class Config:
    """All settings of a run.

    Attributes:
        task: Name of the task.
        seed: Random seed.
        data: Settings `data.*`.
        encoder: Settings `encoder.*`.
        train: Settings `train.*`.
        options: Settings `options.*`, an instance of the task's `Options`.
    """

    task: str = setting(help="name from `seqtasks list tasks`, or a file")
    seed: int = setting(0, "random seed of initial weights, order of examples and dropout", ge=0)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    encoder: EncoderConfig = dataclasses.field(default_factory=EncoderConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    options: Any = dataclasses.field(default_factory=NoOptions)

    def to_dict(self) -> dict[str, Any]:
        """The settings as nested dictionaries of plain values, for YAML or JSON."""
        return dataclasses.asdict(self, dict_factory=_plain)

    def flat(self) -> dict[str, Any]:
        """The settings as one dictionary by dotted keys, such as `encoder.units`."""
        return {key: value for key, value, _ in flatten(self)}

    def identity(self, *facts: Any, former_names: bool = False) -> str:
        """Hash of all settings that can change a result; it names the run folder.

        Args:
            *facts: Further values to hash, such as the task's version and the fingerprint of the data.
            former_names: Hash the names that options had in seqtasks 0.1.

        Returns:
            Eight hex digits.
        """
        names = former_of_present(self.to_dict()["options"]) if former_names else {}
        keep = {names.get(key, key): value for key, value, field in flatten(self) if is_hashed(value, field)}
        text = json.dumps([keep, facts], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def _plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dictionary with lists in place of tuples, as YAML and JSON load them."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in items}


def resolve(
    task: str,
    options: type | None,
    overrides: Iterable[str] = (),
    config_file: str | Path | None = None,
    task_file: Path | None = None,
    source: str | None = None,
    size: int | None = None,
    option_names: Collection[str] | None = None,
) -> Config:
    """Builds the configuration of a run from files and overrides.

    Args:
        task: Name of the task.
        options: The task's `Options` dataclass; None leaves the values of `options.*` unread, to check all other
            settings before the task is imported.
        overrides: Settings as `key=value`.
        config_file: A YAML file, or the name of a bundled one.
        task_file: YAML file beside the task, for a task that is not bundled.
        source: Data source of the run, e.g. `builtin:digits`; selects a section `sources` of the files.
        size: Number of training examples; selects a section `sizes` of the files.
        option_names: Names of the task's options, to check those of `options.*` where `options` is None; None: they
            are not known.

    Raises:
        ConfigError: Unknown key, value that is not allowed, or unreadable file.

    Example:
        >>> config = resolve("mnist_rows", None, ["encoder.units=64"])
        >>> config.encoder.units, config.encoder.cell
        (64, 'lstm')
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
            f"the configuration is for task {configured_task!r}; allowed: {task!r}; run that task or use another file"
        )
    option_values = values.pop("options", None)
    option_values = {} if option_values is None else option_values
    names = option_names if options is None else [field.name for field in dataclasses.fields(options)]
    _check_groups({**values, "options": option_values}, names)
    config = build(Config, {"task": task, **values}, raw=raw)
    if options is None:
        if option_names is not None and isinstance(option_values, Mapping):
            for key in option_values:
                field_name(str(key), option_names, "options.", raw)
        return config
    if not isinstance(option_values, Mapping):
        raise ConfigError(f"options is {option_values!r}; allowed: a group of settings; set options.<name>=…")
    return dataclasses.replace(config, options=build(options, option_values, "options.", raw))


def _check_groups(values: Mapping[str, Any], option_names: Collection[str] | None) -> None:
    """Checks that no setting was given without its group, or in another group than its own.

    Args:
        values: Settings as nested mappings.
        option_names: Names of the task's options; None: they are not known.

    Raises:
        ConfigError: A setting of another group; the message has its full name.
    """
    groups: dict[str, Collection[str]] = {
        name: [field.name for field in dataclasses.fields(cls)]
        for name, cls in (("data", DataConfig), ("encoder", EncoderConfig), ("train", TrainConfig))
    }
    groups["options"] = option_names or ()
    top = [field.name for field in dataclasses.fields(Config)]
    unknown = [(str(key), str(key)) for key in values if key not in top]
    for group, known in groups.items():
        if isinstance(values.get(group), Mapping) and not (group == "options" and option_names is None):
            keys = [str(key) for key in values[group]]
            unknown += [(f"{group}.{key}", key) for key in keys if key not in known and not present_name(key, known)]
    leaves: dict[str, list[str]] = {}
    for group, known in groups.items():
        for name in known:
            leaves.setdefault(name, []).append(f"{group}.{name}")
    for typed, key in unknown:
        close = [key] if key in leaves else []
        if typed == key and not close and not nearest(key, top, 0.6):
            close = nearest(key, leaves, 0.75)[:1]
        if close:
            group = typed.rpartition(".")[0]
            similar = [f"{group}.{name}" for name in nearest(key, groups.get(group, ()), 0.8)[:1]]
            names = " or ".join([*similar, *leaves[close[0]]])
            raise ConfigError(f"unknown setting {typed}; did you mean {names}?")
        if typed == key and not nearest(key, top, 0.6):
            raise ConfigError(
                f"unknown setting {typed}; allowed: seed, and settings in the groups {', '.join(groups)}, such as "
                f"train.epochs; see {TASK_SETTINGS}"
            )


def from_dict(values: Mapping[str, Any], options: type) -> Config:
    """Builds a configuration from the output of `Config.to_dict`.

    Args:
        values: Nested mappings; an option that did not exist yet has its value `absent`, see `setting`.
        options: The task's `Options` dataclass.

    Raises:
        ConfigError: Unknown key, or value that is not allowed.
    """
    settings = dict(values)
    absent = {
        field.name: field.metadata["absent"] for field in dataclasses.fields(options) if "absent" in field.metadata
    }
    option_values = absent | (settings.pop("options", {}) or {})
    return dataclasses.replace(build(Config, settings), options=build(options, option_values, "options."))


def check_texts(config: Config) -> None:
    """Checks that file names and result rows can store all texts of a configuration.

    Raises:
        ConfigError: A text contains NUL, or is not UTF-8.
    """
    for key, value in config.flat().items():
        if isinstance(value, str) and ("\0" in value or not is_utf8(value)):
            raise ConfigError(f"{key} is {shown(value)!r}; allowed: text in UTF-8 without NUL; set {key}=…")


def split_override(text: str) -> tuple[str, str]:
    """Splits a setting into key and value.

    Raises:
        ConfigError: There is no `=` or no key, or the text is not UTF-8.

    Example:
        >>> split_override("encoder.units=64")
        ('encoder.units', '64')
    """
    key, sign, value = text.partition("=")
    if not is_utf8(text):
        raise ConfigError(
            f"the setting {shown(text)} is not UTF-8; allowed: text in UTF-8; rename the file that it names, or set "
            "the terminal to UTF-8"
        )
    if not sign or not key.strip():
        raise ConfigError(f"{text!r} is not a setting; allowed: key=value; write it such as encoder.units=64")
    return key.strip(), value


def parse_match(text: str) -> tuple[str, int]:
    """Splits a value of `encoder.match` into the name of a cell and its number of units.

    Raises:
        ConfigError: The text is not a name and a number of units.

    Example:
        >>> parse_match("lstm:128")
        ('lstm', 128)
    """
    name, _, units = text.partition(":")
    if not name or not units.isdecimal() or int(units) < 1:
        raise ConfigError(
            f"encoder.match is {text!r}; allowed: a cell and its number of units; set e.g. encoder.match=lstm:128"
        )
    return name, int(units)
