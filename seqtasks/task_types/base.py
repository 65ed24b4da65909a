"""Base class of tasks: data, model around an encoder, scores, baselines, predictions."""

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
from seqtasks.data import spec as data_spec
from seqtasks.data.batches import ArrayBatches, ResumableBatches
from seqtasks.data.bucketing import Buckets
from seqtasks.data.keras_adapter import UntunedDataAdapter
from seqtasks.data.resolve import source_forms
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.survey import Survey
from seqtasks.experiments.example_outputs import ExampleOutputs
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.metrics import classification_scores
from seqtasks.task_types.common.export_plan import ExportPlan
from seqtasks.task_types.common.steps import Steps, class_properties, signal_properties

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

TEXT_SAMPLES = 4  # examples whose predicted texts trackers show
TOPOLOGIES = ("one-to-one", "one-to-many", "many-to-one", "many-to-many", "synced")


@dataclasses.dataclass(frozen=True)
class Baseline:
    """Test scores of a simple method, for comparison with the models; one row of a table.

    Attributes:
        scores: Test scores by name, including the task's metric.
        params: Number of fitted parameters.
        by: Library that computed the scores; its row has this name as the engine.

    Example:
        >>> from seqtasks import Baseline
        >>> Baseline({"accuracy": 0.92}, params=7850)
        Baseline(scores={'accuracy': 0.92}, params=7850, by='scikit-learn')
    """

    scores: dict[str, float]
    params: int
    by: str = "scikit-learn"


# Names of methods and properties in version 0.1. A plugin that overrides one of them works until version 0.3.
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
    """A finished run whose weights another run starts from.

    Attributes:
        model: Trained model of the run.
        spec: Facts about the data of the run, `Splits.spec`.
        path: Folder of the run.
    """

    model: keras.Model
    spec: data_spec.Spec
    path: Path


class Task(ABC):
    """Base class of tasks: data, model around an encoder, scores, baselines, predictions.

    A subclass sets `topology` and overrides `load` and `build_model`; the defaults of the other methods are for
    classification. The framework builds the encoder, seeds, compiles and fits the model and stores the run, so a
    task does not choose the cell. Each type of task has a base class with more defaults, such as `ImageTask`.

    Masks: `build_model` passes the mask of padded inputs to the encoder.

    Args:
        options: Instance of `Options`; None: all defaults.
        spec: Facts about the data, `Splits.spec`; None: not loaded yet.

    Attributes:
        name: Name of the task, set by `register_task`.
        topology: `"one-to-one"`, `"one-to-many"`, `"many-to-one"`, `"many-to-many"` or `"synced"`.
        metric: Name of the score that results are compared by.
        higher_is_better: Whether higher values of the metric are better.
        causal: Whether each step is predicted from the steps before it, so that no bidirectional encoder is allowed.
        stateful: Whether the encoder carries its states from batch to batch.
        version: Version of the task's scores; raise it when new scores are not comparable with earlier ones.
        Options: Dataclass of the task's settings `options.*`, see `seqtasks.setting`.
        PredictOptions: Dataclass of the options of `seqtasks predict`.
        Spec: Class of `spec`.
        spec: Facts about the data that model and prediction need. The run folder stores them for `predict`.
        tfds: Name of the data set, or names of data sets, in tensorflow-datasets; the first is the default.
        files: Whether the task reads a folder of files; `"any"`: or a single file.
        reads: Inputs of `seqtasks predict`: `"texts"` (or the lines of `--file`), `"prompt"` (only the option
            `--prompt`, or the text of `--file`), `"paths"` of files, or other `"words"`.
        separate_inputs: Whether `predict` returns equally many rows for each input, whatever inputs it gets together,
            so that a server may predict for the inputs of several requests at once.
        fills: Suffixes of files that `predict_file` reads.
        limits_examples: Whether `data.limit` counts examples; False: it counts another unit, such as characters, and
            `load` applies it.
        packages: Packages whose data files the task reads, with the names of these files, see
            `seqtasks.data.package_data`.
        hub_task: Name of this kind of task on the Hugging Face Hub, such as `"text-classification"`; None: it has none.
        builtin: Name of the built-in data set.
        file: File that defines the task, if it was loaded from a file.
        unpredicted: Labels of the last scored split that the model never predicted.

    Example:
        >>> import keras
        >>> from seqtasks import Examples, Source, Splits, Task
        >>> from seqtasks.layers import Encoder
        >>> class Sign(Task):
        ...     topology, builtin, name = "many-to-one", "generated", "sign"
        ...     def load(self, source, seed):
        ...         def draw(rng, count):
        ...             x = rng.normal(size=(count, 5, 1))
        ...             return Examples({"x": x}, (x.sum(axis=(1, 2)) > 0).astype("int64"))
        ...         return Splits.generate(draw, {"train": 90, "validation": 10, "test": 10}, str(source))
        ...     def build_model(self, encoder):
        ...         x = keras.Input((5, 1), name="x")
        ...         return keras.Model(x, keras.layers.Dense(2)(encoder(x, return_sequences=False)[0]))
        >>> task = Sign()
        >>> splits, model = task.load(Source("builtin", "generated"), 0), task.build_model(Encoder(units=4))
        >>> len(splits.train), model.output_shape, Sign.sources()
        (90, (None, 2), ['builtin:generated'])
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
    separate_inputs: ClassVar[bool] = False
    fills: ClassVar[tuple[str, ...]] = ()
    limits_examples: ClassVar[bool] = True
    hub_task: ClassVar[str | None] = None
    builtin: ClassVar[str | None] = None
    packages: ClassVar[Mapping[str, Sequence[str]]] = {}
    file: ClassVar[Path | None] = None

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        for former, name in FORMER_METHODS.items():
            if former in vars(cls) and name not in vars(cls):
                message = f"{cls.__name__}.{former} is now {name}; rename it: the old name works until version 0.3"
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                setattr(cls, name, vars(cls)[former])
        if "before" in vars(cls):  # called by `training.prerequisite`
            message = (
                f"{cls.__name__}.before is now pretraining_config, which returns a configuration and trains nothing; "
                "override that: before works until version 0.3"
            )
            warnings.warn(message, DeprecationWarning, stacklevel=2)

    def __getattr__(self, name: str) -> Any:
        if name in FORMER_METHODS:
            return getattr(self, FORMER_METHODS[name])
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    if TYPE_CHECKING:
        spec: data_spec.Spec  # each task type declares it again, with a subclass
    else:

        @property
        def spec(self) -> data_spec.Spec:
            """Facts about the data.

            An assigned dictionary becomes an instance of the class `Spec` if its keys are the names of that class.
            """
            return self._spec

        @spec.setter
        def spec(self, facts: data_spec.Spec | Mapping[str, Any]) -> None:
            self._spec = data_spec.as_spec(facts, self.Spec)

    def __init__(self, options: Any = None, spec: data_spec.Spec | Mapping[str, Any] | None = None):
        self.options = self.Options() if options is None else options
        self.spec = data_spec.Spec() if spec is None else data_spec.as_spec(spec, self.Spec)
        self.unpredicted: list[str] = []
        self.example_outputs: ExampleOutputs | None = None
        self._kept: tuple[keras.Model, dict[str, Any]] | None = None

    @classmethod
    def stored_spec(cls, values: Mapping[str, Any]) -> data_spec.Spec:
        """Restores the facts about the data from their dictionary in a run folder.

        Args:
            values: `Spec.to_dict()`; or a dictionary of any names, if the task declares no `Spec`, or overrides `load`
                of the class that declares it.

        Raises:
            DataError: The names are not those of the `Spec` that belongs to `load`.
        """
        declared, loads = (next(c for c in cls.__mro__ if name in vars(c)) for name in ("Spec", "load"))
        if declared is Task or (loads is not declared and issubclass(loads, declared)):
            return data_spec.as_spec(values, cls.Spec)
        return cls.Spec.from_dict(values)

    @abstractmethod
    def load(self, source: Source, seed: int) -> Splits:
        """Loads the data.

        Args:
            source: The chosen source, one of `sources()`.
            seed: Random seed; splits should not depend on it.

        Returns:
            Training, validation and test examples, with the facts about the data.

        Raises:
            DataError: The data is missing or damaged.
        """

    @abstractmethod
    def build_model(self, encoder: Encoder) -> keras.Model:
        """Builds the uncompiled model around the encoder.

        Args:
            encoder: Encoder that the configuration describes, not built yet.

        Returns:
            A model from the inputs of `Examples` to the values that `loss` expects: logits, `(batch, classes)`, for
            the default loss.
        """

    def pretraining_config(self, config: Config) -> Config | None:
        """Returns the configuration of a run that is trained first, for the initial weights.

        Args:
            config: Configuration of this run.

        Returns:
            Configuration of the run to start from; None: random initial weights.
        """
        return None

    @property
    def pretrained_run(self) -> str | None:
        """Name or folder of a finished run to start from, used instead of `pretraining_config`."""
        return None

    def init_weights(self, model: keras.Model, pretrained: Pretrained | None) -> None:  # noqa: B027
        """Sets those initial weights of a new model that are not random.

        Args:
            model: Model that `build_model` returned.
            pretrained: Run to start from; None: the task declares none.
        """

    def named_weights(self, model: keras.Model) -> list[tuple[Any, ...]] | None:
        """Names the entries of weights that stand for items of the data.

        By these names `train.start` copies the rows of words and classes that two runs share.

        Args:
            model: A model of the task.

        Returns:
            For each such weight the variable, and for each of its axes the names of the entries, or None. None: the
            task does not know; a run to start from then needs the same vocabularies and classes.
        """
        return None

    def loss(self) -> Any:
        """Returns the loss to minimise: a Keras loss or function."""
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self) -> list[Any]:
        """Returns the Keras metrics that training reports beside the loss."""
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    @property
    def classes(self) -> list[str]:
        """Names of the classes; empty for a task without classes."""
        return list(self.spec.classes or ())

    @property
    def unit(self) -> str:
        """Plural noun for the examples in messages, such as `"images"`."""
        return "examples"

    @property
    def uses_encoder(self) -> bool:
        """Whether the model uses the encoder; if not, its result row has no cell."""
        return True

    @property
    def step_inputs(self) -> tuple[str, ...]:
        """Inputs that a model in one direction can read step by step; () if it cannot.

        `seqtasks export` then writes a step model, with its states as inputs and outputs.
        """
        return ()

    @property
    def primary_metric(self) -> str:
        """Name of the score in `Row.value`: `metric`, unless it depends on `spec`."""
        return self.metric

    @property
    def primary_higher_is_better(self) -> bool:
        """Whether a higher value of `primary_metric` is better.

        It is `higher_is_better`, unless it depends on the data.
        """
        return self.higher_is_better

    @property
    def monitor(self) -> str:
        """Name of the validation value that selects the best weights; for a loss, lower is better."""
        return f"val_{self.metric}"

    @property
    def scorer_versions(self) -> dict[str, str]:
        """Versions or signatures of external scorers by name; result rows store them."""
        return {}

    def callbacks(self, validation: ResumableBatches) -> list[keras.callbacks.Callback]:
        """Returns callbacks that run before the learning rate schedule and the checkpoint.

        Such a callback can compute the validation value that `monitor` names.

        Args:
            validation: Batches of the validation split.
        """
        return []

    def refit_examples(self, splits: Splits) -> Examples | None:
        """Returns the examples of a second training, whose model is scored.

        It is also the one that is saved.

        For small data whose validation examples choose nothing, so that it is the weights of the last epoch that are
        kept: the new model has the same seed, settings and number of epochs, no validation, and needs no callback.

        Args:
            splits: The data; training and validation examples may be joined by `Examples.joined`.

        Returns:
            The examples; None: the model of the run is scored and saved.
        """
        return None

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> ResumableBatches:
        """Returns the batches of a split.

        Args:
            examples: Examples of the split.
            batch_size: Number of examples of a batch.
            shuffle: Whether to shuffle in each epoch; true for training only.
            seed: Random seed of the order.
        """
        return ArrayBatches(examples, batch_size, shuffle, seed)

    def score(self, model: keras.Model, batches: ResumableBatches) -> dict[str, float]:
        """Computes the scores of a split.

        Args:
            model: Trained model.
            batches: Batches of the split, in order.

        Returns:
            Scores by name, including the task's metric.
        """
        logits, targets = self.predict_logits(model, batches), batches.examples.targets
        if classes := self.spec.classes:
            missing = np.setdiff1d(np.unique(targets), np.unique(logits.argmax(axis=-1)))
            self.unpredicted = [str(classes[int(number)]) for number in missing]
        self.example_outputs = None
        if self.primary_metric in ("accuracy", "rmse"):
            self.example_outputs = self.outputs_from_logits(logits, targets)
        return self.scores_from_logits(logits, targets)

    def scores_from_logits(self, logits: FloatArray, targets: IntArray) -> dict[str, float]:
        """Computes the scores from logits.

        Args:
            logits: `(examples, classes)`.
            targets: Target class numbers, `(examples,)`.

        Returns:
            Scores by name.
        """
        return classification_scores(logits, targets)

    def outputs_from_logits(self, logits: FloatArray, targets: IntArray) -> ExampleOutputs | None:
        """Returns the outputs of the test split that the run folder stores.

        Args:
            logits: `(examples, classes)`.
            targets: Target class numbers, `(examples,)`.

        Returns:
            The outputs, whose terms determine the accuracy; None: none are stored.
        """
        if np.ndim(targets) != 1 or np.ndim(logits) != 2:
            return None
        return ExampleOutputs.of(logits.argmax(axis=-1) == targets, outputs=logits)

    def keep_outputs(self, terms: Any, formula: str = "mean", outputs: Any = None) -> None:
        """Keeps the outputs of test examples for the run folder; for an overridden `score`.

        Tables compare models by them, and mark those that cannot be told from the best one.

        Args:
            terms: The primary metric of each example, `(examples,)`, if the score is their mean; or the terms that
                the score is computed from, `(examples, terms)`.
            formula: How their sums make the score: "mean" (sum, number), "root_mean", "exp_mean" (of sum and number),
                "f1" (correct, predicted, true), "bleu", "chrf" or "roc_auc".
            outputs: What the model predicted for each example, as an array; None: not stored.

        Raises:
            ConfigError: Unknown formula.
        """
        self.example_outputs = ExampleOutputs.of(terms, formula, outputs)

    def predict_logits(self, model: keras.Model, batches: ResumableBatches) -> FloatArray:
        """Computes the model's outputs for a split.

        Args:
            model: Trained model.
            batches: Batches of the split.

        Returns:
            Outputs in the order of the examples, `(examples, classes)` for a classifier.
        """
        return np.asarray(model.predict(UntunedDataAdapter(batches), verbose=0), dtype=np.float64)

    def predict(self, model: keras.Model, inputs: Sequence[str], options: Any) -> list[dict[str, Any]] | Iterator[str]:
        """Predicts for the inputs of `seqtasks predict`.

        Args:
            model: Trained model.
            inputs: Arguments after `seqtasks predict RUN`, or the lines of `--file`. With `reads = "texts"`, no input
                is empty, and each has to get the same number of rows.
            options: Instance of `PredictOptions`.

        Returns:
            Rows of a table, each a dictionary of columns; or an iterator of pieces of generated text.

        Raises:
            ConfigError: The inputs are not allowed, or the task has no prediction.
        """
        raise ConfigError(
            f"seqtasks predict: task {self.name} has no prediction on the command line; allowed: tasks that override "
            "predict; load model.keras in Python"
        )

    def keep(self, model: keras.Model, name: str, make: Callable[[], Any]) -> Any:
        """Returns a part of `predict` for a model; the first call makes it.

        It is for what is compiled.
        Only parts of the last model are kept.

        Args:
            model: Trained model.
            name: Name of the part, with all that it depends on besides the model.
            make: Function that makes it.

        Example:
            >>> import keras
            >>> from seqtasks.core.plugins import load_task
            >>> task, model = load_task("adding")(), keras.Sequential()
            >>> task.keep(model, "part", list) is task.keep(model, "part", list)
            True
        """
        if self._kept is None or self._kept[0] is not model:
            self._kept = model, {}
        parts = self._kept[1]
        if name not in parts:
            parts[name] = make()
        return parts[name]

    def predict_file(self, model: keras.Model, path: Path, options: Any = None) -> Iterator[str]:
        """Yields the text of a file with the predictions filled in.

        Args:
            model: Trained model.
            path: The file; its suffix is in `fills`.
            options: Instance of `PredictOptions`.

        Raises:
            DataError: The file is malformed.
        """
        raise NotImplementedError

    @property
    def answer_column(self) -> str:
        """Column of the rows of `predict` that `--out` writes, one line for each text."""
        return "answer"

    def show_answer(self, row: dict[str, Any]) -> str | None:
        """Formats a row of `predict` as text for the terminal.

        Args:
            row: Row that `predict` returned.

        Returns:
            The text; None: print the rows as a table.
        """
        return None

    def export_plan(self, model: keras.Model) -> ExportPlan:
        """Returns the graphs of an export, and how test examples run through them.

        The default is right for a model from named inputs to one output.

        Args:
            model: Trained model.
        """
        return ExportPlan(self, model, self.step_inputs)

    def survey(self, splits: Splits) -> Survey:
        """Collects the facts that are checked and printed before training.

        The default is the number of examples of each split and, if `spec` has class names, their labels.

        Args:
            splits: The loaded data.
        """
        parts = splits.parts
        counts = {part: len(examples) for part, examples in parts.items()}
        classes = self.spec.classes
        if not classes or any(getattr(examples.targets, "ndim", 0) != 1 for examples in parts.values()):
            return Survey(counts)
        labels = {part: [str(classes[int(n)]) for n in examples.targets] for part, examples in parts.items()}
        return Survey(counts, labels)

    def baseline_seconds(self, splits: Splits) -> dict[str, float]:
        """Estimates the seconds that each baseline takes.

        Args:
            splits: The loaded data.

        Returns:
            Seconds by name of the baseline; those that take almost no time can be left out.
        """
        return {}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        """Returns simple methods to compare with, fitted on the same training split.

        Args:
            splits: The loaded data.

        Returns:
            Functions by name that fit and score a baseline.
        """
        return {}

    def plots(self, model: keras.Model, batches: ResumableBatches) -> Iterator[tuple[str, Figure | DataFrame]]:
        """Yields figures and tables of the test split for the run folder.

        Args:
            model: Trained model.
            batches: Batches of the test split.

        Yields:
            Pairs of file name without suffix, and figure or table.
        """
        return iter(())

    def text_samples(self, model: keras.Model, batches: ResumableBatches) -> Mapping[str, str]:
        """Returns texts that the model writes in training, for trackers; by default none.

        Args:
            model: Model in training. What is called must not change its variables but the kept states.
            batches: Batches of the validation split.

        Returns:
            Texts of at most some thousand characters by name.
        """
        return {}

    def sample(self, examples: Examples, sequences: int, steps: int | None = None) -> Sequence[Any]:
        """Returns one batch of a split for `seqtasks look`.

        The default has evenly spaced examples.

        Args:
            examples: Examples of the split.
            sequences: Maximum number of sequences.
            steps: Maximum number of time steps, for tasks that can cut sequences; None: no maximum.

        Returns:
            Inputs, targets, and for some tasks weights, as `batches` yields them.
        """
        rows = evenly_spaced(len(examples), sequences)
        return self.batches(examples.take(rows), len(rows))[0]

    def encode_inputs(self, inputs: Sequence[str]) -> Any:
        """Turns inputs of `seqtasks predict` into inputs of the model, for `seqtasks look`.

        Args:
            inputs: Texts or paths of files, whichever the task reads.

        Raises:
            ConfigError: The inputs are not allowed, or the task reads none.
        """
        raise ConfigError(
            f"seqtasks look: task {self.name} reads no inputs of your own; allowed: examples of the test split; leave "
            "out --input and --file"
        )

    def describe_steps(self, inputs: Any, targets: Any = None) -> Steps:
        """Describes the steps of a batch, for `seqtasks look`.

        The description has texts, numbers, and properties that units may follow.

        The default draws the first input of numbers, `(batch, time, …)`; its properties are the step, the numbers,
        their means so far, and the classes of the targets.

        Args:
            inputs: Inputs of the model, as `batches` or `encode_inputs` makes them.
            targets: Targets of the batch; None: not known.
        """
        arrays = inputs.values() if isinstance(inputs, dict) else [inputs]
        for array in map(np.asarray, arrays):
            if array.ndim > 1 and array.dtype.kind in "uf":  # signed integers are token numbers
                signal = array.reshape(*array.shape[:2], -1).astype(np.float64)
                known = targets is not None and bool(self.classes)
                numbers = signal_properties(signal, [f"input {i + 1}" for i in range(signal.shape[-1])])
                return Steps(
                    signal=signal,
                    properties=numbers | (class_properties(targets, self.classes, signal.shape[1]) if known else {}),
                    titles=[self.classes[n] for n in targets] if known and np.ndim(targets) == 1 else [],
                )
        return Steps()

    @classmethod
    def tfds_names(cls) -> tuple[str, ...]:
        """Names of the data sets of tensorflow-datasets, the default first."""
        return (cls.tfds,) if isinstance(cls.tfds, str) else cls.tfds or ()

    @classmethod
    def sources(cls) -> list[str]:
        """Allowed values of `data.source` besides `auto`."""
        return source_forms(cls)


def evenly_spaced(count: int, most: int) -> IntArray:
    """Numbers of at most `most` of `count` examples, evenly spaced.

    Example:
        >>> evenly_spaced(9, 3).tolist()
        [0, 4, 8]
    """
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))


def bucketed_logits(model: keras.Model, batches: Buckets, classes: int) -> FloatArray:
    """Computes logits in batches of similar length.

    Args:
        model: Classifier.
        batches: Batches of the examples, ordered by length.
        classes: Number of classes.

    Returns:
        Logits in the order of the examples, `(examples, classes)`.
    """
    logits = np.zeros((len(batches.examples), classes))
    for index in range(len(batches)):
        logits[batches.rows(index)] = model.predict_on_batch(batches[index][0])
    return logits


def register_task(name: str) -> Callable[[type[Task]], type[Task]]:
    """Class decorator that registers a task under a name, for `seqtasks run NAME`.

    The first line of the docstring of the class is the summary in `seqtasks list tasks`.

    Args:
        name: Name of the task, equal to the name of its file.

    Returns:
        A decorator that returns the class itself.

    Raises:
        DuplicateNameError: Another task is registered under the name.
        ConfigError: The class has no `topology`, or another value than the five allowed ones.

    Example:
        >>> @register_task("reversal")  # doctest: +SKIP
        ... class Reversal(Task):
        ...     topology = "synced"
        >>> from seqtasks.core.plugins import load_task
        >>> task = load_task("adding")  # registered as "adding"
        >>> task.name, task.topology
        ('adding', 'many-to-one')
    """

    def register(cls: type[Task]) -> type[Task]:
        if getattr(cls, "topology", None) not in TOPOLOGIES:
            raise ConfigError(
                f"task {name}: topology is {getattr(cls, 'topology', None)!r}; allowed: {', '.join(TOPOLOGIES)}; set "
                "topology in the class"
            )
        cls.name = name
        return tasks.add(name, cls, cls.__module__, {"summary": _first_line(cls), "topology": cls.topology})

    return register


def _first_line(cls: type) -> str:
    return ((cls.__doc__ or "").strip().splitlines() or [""])[0].rstrip(".")
