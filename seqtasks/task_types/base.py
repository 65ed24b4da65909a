"""Task: data, model around the shared encoder, score, baselines, predictions."""

from __future__ import annotations

import dataclasses
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.config import Config, NoOptions
from seqtasks.core.errors import ConfigError
from seqtasks.core.plugins import tasks
from seqtasks.data import package_data
from seqtasks.data import spec as data_spec
from seqtasks.data.batches import ArrayBatches, ResumableBatches
from seqtasks.data.bucketing import Buckets
from seqtasks.data.keras_adapter import UntunedDataAdapter
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.survey import Survey
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.metrics import classification_scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

TOPOLOGIES = ("one-to-one", "one-to-many", "many-to-one", "many-to-many", "synced")


@dataclasses.dataclass(frozen=True)
class Baseline:
    """What a simple method reaches: one row above the models.

    Attributes:
        scores: test scores by name, the task's metric among them.
        params: fitted numbers.
        by: what computed it, as its row names the engine.
    """

    scores: dict[str, float]
    params: int
    by: str = "scikit-learn"


# Methods and properties of seqtasks 0.1; a plugin that overrides one works until version 0.3.
FORMER_METHODS = {
    "initialise": "init_weights",
    "judge": "scores_from_logits",
    "logits": "predict_logits",
    "model": "build_model",
    "recurrent": "uses_encoder",
    "row_metric": "primary_metric",
    "tools": "scorer_versions",
}


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A finished run that another one starts from.

    Attributes:
        model: Its trained model.
        spec: Facts of its data, `Splits.spec`.
        path: Its folder.
    """

    model: keras.Model
    spec: data_spec.Spec
    path: Path


class Task(ABC):
    """One problem over sequences.

    A subclass declares the facts below and writes `load` and `build_model`; the rest has defaults for
    classification. The framework builds the encoder, compiles, fits, seeds and stores, so no task chooses its
    cell. `self.spec` holds the facts about the data that `load` found, an instance of the class that `Spec`
    names; it is stored in the run folder and is there again in `predict`. `reads` says what the inputs of
    `predict` are: texts, which the command also reads from the lines of `--file`; nothing but the option
    `prompt`, which `--file` fills; paths of files; or other words. `stateful` gives the task an encoder that
    keeps its states between batches; `files="any"` lets it read a single file, too. `packages` names other packages
    whose data files it reads, with the names of these files, see `seqtasks.data.package_data`. `limits_examples=False`:
    `data.limit` does not count the examples of the splits but something that `load` cuts, such as characters.
    `unit` names an example in the plural, for people.

    Args:
        options: an instance of `Options`.
        spec: `Splits.spec`; None: it is not known yet.
    """

    name: ClassVar[str]
    topology: ClassVar[str]
    metric: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    causal: ClassVar[bool] = False
    stateful: ClassVar[bool] = False
    version: ClassVar[int] = 1
    Options: ClassVar[type] = NoOptions
    PredictOptions: ClassVar[type] = NoOptions
    Spec: ClassVar[type[data_spec.Spec]] = data_spec.Spec
    tfds: ClassVar[str | tuple[str, ...] | None] = None
    files: ClassVar[bool | Literal["any"]] = False
    reads: ClassVar[Literal["texts", "prompt", "paths", "words"]] = "words"
    limits_examples: ClassVar[bool] = True
    builtin: ClassVar[str | None] = None
    packages: ClassVar[Mapping[str, Sequence[str]]] = {}
    file: ClassVar[Path | None] = None

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        for former, name in FORMER_METHODS.items():
            if former in vars(cls) and name not in vars(cls):
                warnings.warn(f"{cls.__name__}.{former} is now {name}", DeprecationWarning, stacklevel=2)
                setattr(cls, name, vars(cls)[former])
        if "before" in vars(cls):  # called by `training.prerequisite`
            message = (
                f"{cls.__name__}.before is now pretraining_config, which returns a configuration and trains nothing"
            )
            warnings.warn(message, DeprecationWarning, stacklevel=2)

    def __getattr__(self, name: str) -> Any:
        if name in FORMER_METHODS:
            return getattr(self, FORMER_METHODS[name])
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    if TYPE_CHECKING:
        spec: data_spec.Spec  # a task type declares it again with its own class
    else:

        @property
        def spec(self) -> data_spec.Spec:
            """Facts about the data; a dictionary that is assigned becomes an instance of `Spec` if it has its names."""
            return self._spec

        @spec.setter
        def spec(self, facts: data_spec.Spec | Mapping[str, Any]) -> None:
            self._spec = data_spec.as_spec(facts, self.Spec)

    def __init__(self, options: Any = None, spec: data_spec.Spec | Mapping[str, Any] | None = None):
        self.options = self.Options() if options is None else options
        self.spec = data_spec.Spec() if spec is None else data_spec.as_spec(spec, self.Spec)
        self.unpredicted: list[str] = []  # labels that the last scored split has and no prediction

    @classmethod
    def stored_spec(cls, values: Mapping[str, Any]) -> data_spec.Spec:
        """The facts about the data that a run folder stores.

        Args:
            values: `Spec.to_dict()`. A task whose `load` is its own, below the class that declares `Spec`, may have
                stored a dictionary of any names.

        Raises:
            DataError: names that are not those of the task type's `Spec`.
        """
        declared, loads = (next(c for c in cls.__mro__ if name in vars(c)) for name in ("Spec", "load"))
        if declared is Task or (loads is not declared and issubclass(loads, declared)):
            return data_spec.as_spec(values, cls.Spec)
        return cls.Spec.from_dict(values)

    @abstractmethod
    def load(self, source: Source, seed: int) -> Splits:
        """Reads the data.

        Args:
            source: which of the task's sources was chosen.
            seed: of whatever is drawn at random; splits should not depend on it.

        Raises:
            DataError: it is missing or damaged.
        """

    @abstractmethod
    def build_model(self, encoder: Encoder) -> keras.Model:
        """An uncompiled model around the encoder; the last layer gives logits."""

    def pretraining_config(self, config: Config) -> Config | None:
        """Configuration of the run whose weights this one starts from, which is trained first; None: no such run.

        Args:
            config: Configuration of this run.
        """
        return None

    @property
    def pretrained_run(self) -> str | None:
        """Name or folder of a finished run to start from, in place of one of `pretraining_config`."""
        return None

    def init_weights(self, model: keras.Model, pretrained: Pretrained | None) -> None:  # noqa: B027
        """Sets the initial weights of a new model that are not random.

        Args:
            model: The model that `model` returned.
            pretrained: The run to start from, if the task declares one.
        """

    def loss(self) -> Any:
        """What training minimises."""
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self) -> list[Any]:
        """What the progress bar shows beside the loss."""
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    @property
    def classes(self) -> list[str]:
        """Names of the classes, of tasks that have some."""
        return list(self.spec.classes or ())

    @property
    def unit(self) -> str:
        """What an example is, in the plural, for people."""
        return "examples"

    @property
    def uses_encoder(self) -> bool:
        """Whether the model uses the encoder; its row names no cell if not."""
        return True

    @property
    def primary_metric(self) -> str:
        """The score that is the row's value: `metric`, unless the data decides. Needs `spec`."""
        return self.metric

    @property
    def primary_higher_is_better(self) -> bool:
        """Whether a higher value of `primary_metric` is better: `higher_is_better`, unless the data decides."""
        return self.higher_is_better

    @property
    def monitor(self) -> str:
        """The validation value that chooses the best weights; lower is better for a loss."""
        return f"val_{self.metric}"

    @property
    def scorer_versions(self) -> dict[str, str]:
        """What else computed the scores, and how, by name; rows keep it among the versions."""
        return {}

    def callbacks(self, validation: ResumableBatches) -> list[keras.callbacks.Callback]:
        """What happens first after each epoch, such as a score of the validation split for `monitor`."""
        return []

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> ResumableBatches:
        """The batches of a split."""
        return ArrayBatches(examples, batch_size, shuffle, seed)

    def score(self, model: keras.Model, batches: ResumableBatches) -> dict[str, float]:
        """All scores of a split by name, the task's metric among them."""
        logits, targets = self.predict_logits(model, batches), batches.examples.targets
        if classes := self.spec.classes:
            missing = np.setdiff1d(np.unique(targets), np.unique(logits.argmax(axis=-1)))
            self.unpredicted = [str(classes[int(number)]) for number in missing]
        return self.scores_from_logits(logits, targets)

    def scores_from_logits(self, logits: FloatArray, targets: IntArray) -> dict[str, float]:
        """The scores of logits (examples, classes) for the true classes (examples,)."""
        return classification_scores(logits, targets)

    def predict_logits(self, model: keras.Model, batches: ResumableBatches) -> FloatArray:
        """The model's outputs for a split, in the order of its examples."""
        return np.asarray(model.predict(UntunedDataAdapter(batches), verbose=0), dtype=np.float64)

    def predict(self, model: keras.Model, inputs: Sequence[str], options: Any) -> list[dict[str, Any]] | Iterator[str]:
        """Answers for what a user typed, one dictionary of columns a row; or text in pieces, as it is generated.

        Args:
            model: trained.
            inputs: the words after `seqtasks predict RUN`, or the lines of `--file`; where the task
                reads texts none of them is empty, and as many rows are wanted for each.
            options: an instance of `PredictOptions`.
        """
        raise ConfigError(f"task {self.name} offers no prediction from the command line; load model.keras in Python")

    @property
    def answer_column(self) -> str:
        """The column of `predict`'s rows that `--out` writes, a line for each text."""
        return "answer"

    def show_answer(self, row: dict[str, Any]) -> str | None:
        """A row of `predict` as text for a reader; None: a table shows all rows better."""
        return None

    def survey(self, splits: Splits) -> Survey:
        """What is looked at before training; by default the sizes, and the labels where `spec` has their names."""
        parts = splits.parts
        counts = {part: len(examples) for part, examples in parts.items()}
        classes = self.spec.classes
        if not classes or any(getattr(examples.targets, "ndim", 0) != 1 for examples in parts.values()):
            return Survey(counts)
        labels = {part: [str(classes[int(n)]) for n in examples.targets] for part, examples in parts.items()}
        return Survey(counts, labels)

    def baseline_seconds(self, splits: Splits) -> dict[str, float]:
        """About how long a baseline takes, by its name; those not named take no time worth speaking of."""
        return {}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        """What a user would try first, by name: functions that fit it on the same training split."""
        return {}

    def plots(self, model: keras.Model, batches: ResumableBatches) -> Iterator[tuple[str, Figure | DataFrame]]:
        """Pictures and tables of the test split as `(file name, figure or table)`."""
        return iter(())

    @classmethod
    def tfds_names(cls) -> tuple[str, ...]:
        """The sets of tensorflow-datasets that it reads, the default first."""
        return (cls.tfds,) if isinstance(cls.tfds, str) else cls.tfds or ()

    @classmethod
    def sources(cls) -> list[str]:
        """The values that `data.source` may have, besides `auto`."""
        values = [f"tfds:{name}" for name in cls.tfds_names()]
        values += [f"files:{'PATH' if cls.files == 'any' else 'DIR'}"] if cls.files else []
        values += package_data.forms(cls.packages)
        return values + ([f"builtin:{cls.builtin}"] if cls.builtin else [])


def bucketed_logits(model: keras.Model, batches: Buckets, classes: int) -> FloatArray:
    """The model's outputs (examples, classes) of batches whose rows are ordered by length, in the order of examples."""
    logits = np.zeros((len(batches.examples), classes))
    for index in range(len(batches)):
        logits[batches.rows(index)] = model.predict_on_batch(batches[index][0])
    return logits


def register_task(name: str) -> Callable[[type[Task]], type[Task]]:
    """Class decorator: makes a task available as `seqtasks run NAME`.

    Args:
        name: of the task; the name of its file.

    Raises:
        DuplicateNameError: another task has the name.
        ConfigError: the class lacks a fact or has one that is not allowed.
    """

    def register(cls: type[Task]) -> type[Task]:
        if getattr(cls, "topology", None) not in TOPOLOGIES:
            raise ConfigError(
                f"task {name}: topology is {getattr(cls, 'topology', None)!r}; allowed: {', '.join(TOPOLOGIES)}"
            )
        cls.name = name
        return tasks.add(name, cls, cls.__module__, {"summary": _first_line(cls), "topology": cls.topology})

    return register


def _first_line(cls: type) -> str:
    return ((cls.__doc__ or "").strip().splitlines() or [""])[0].rstrip(".")
