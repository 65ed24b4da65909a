"""A run that is served: requests become jobs of the thread that owns the models."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.text import Text

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import ConfigError, DataError, SeqtasksError
from seqtasks.decoding.sampling import Sampler, uniform
from seqtasks.deploy.examples import examples
from seqtasks.deploy.inputs import Input, array_of, kind_of, text_of, write_file
from seqtasks.deploy.opened_run import OpenedRun
from seqtasks.deploy.serving.batching import Batcher
from seqtasks.deploy.serving.limits import Limits
from seqtasks.deploy.serving.sessions import Session
from seqtasks.deploy.text_generator import TextGenerator, padded_length
from seqtasks.layers.metrics import log_softmax
from seqtasks.task_types.language_modeling.task import LanguageTask
from seqtasks.training.inference import options_of

LEAST_WORDS = 32  # lengths of texts that are computed together are rounded up to powers of 2 from here
CHUNK = 50  # number of tokens that are generated at a time
Row = dict[str, Any]


class ServedModel:
    """A run that is served.

    Args:
        run: The opened run.
        batcher: Computes jobs in the thread that owns the models.
        limits: Limits of the server.
        count_tokens: Called with the number of tokens that were generated.

    Attributes:
        name: Name of the run folder.
        kind: Kind of inputs, see `seqtasks.deploy.inputs`.
        generator: Text generator of a language model; None for other tasks.
        columns: Rows of an example; empty: the task has none.
    """

    def __init__(
        self,
        run: OpenedRun,
        batcher: Batcher,
        limits: Limits,
        count_tokens: Callable[[int], object] = lambda count: None,
    ):
        self.run, self.task, self.name, self.limits = run, run.task, run.folder.path.name, limits
        self._batcher, self._count_tokens, self.kind = batcher, count_tokens, kind_of(run.task)
        self.generator = TextGenerator(run.task, run.model) if isinstance(run.task, LanguageTask) else None
        self.columns: list[Row] = []

    @property
    def option_fields(self) -> list[dataclasses.Field[Any]]:
        """Options of `predict` that a request may set: all but the prompt and those that write files."""
        fields = dataclasses.fields(self.task.PredictOptions)
        return [f for f in fields if not f.metadata.get("output") and (f.name != "prompt" or self.generator is None)]

    async def warm(self) -> None:
        """Predicts for examples, so that the first request does not wait for compilation."""
        requests = examples(self.kind)
        if self.generator is not None:
            words = self._language.vocabulary
            requests = [[words.decode([len(words) - 1]) or "\n"]]
        for inputs in requests:
            with contextlib.suppress(SeqtasksError):  # a task may need other inputs
                self.columns = await self.predict(inputs, {"length": 2} if self.generator is not None else {})

    def options(self, given: Mapping[str, Any]) -> Any:
        """Builds the options of a request.

        Args:
            given: Options by name; None values keep their defaults.

        Raises:
            ConfigError: An option or value that is not allowed, or too many tokens to generate.
        """
        chosen = {name: value for name, value in given.items() if value is not None}
        allowed = [field.name for field in self.option_fields]
        for name, value in chosen.items():
            if name not in allowed:
                listed = ", ".join(allowed) or "no option"
                raise ConfigError(f"unknown option {name[:100]!r}; allowed: {listed}; leave it out")
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigError(f"option {name} is {value}; allowed: finite numbers; send one")
            if isinstance(value, str) and len(value) > 1000:
                raise ConfigError(f"option {name} has {len(value)} characters; allowed: 1,000; send a shorter value")
        options = options_of(type(self.task), chosen)
        if self.generator is None:
            return options
        if "length" not in chosen:
            options = dataclasses.replace(options, length=min(options.length, self.limits.tokens))
        if options.length > self.limits.tokens:
            raise ConfigError(f"length is {options.length}; allowed: {self.limits.tokens}; send several requests")
        Sampler(self.generator, options.temperature, options.top_k, options.top_p)  # checks them
        return options

    def check(self, inputs: Sequence[Input]) -> None:
        """Checks number and length of the inputs of a request.

        Raises:
            DataError: There are none, too many, or one that is too long or empty.
        """
        most = self.limits.inputs
        if not 0 < len(inputs) <= most:
            raise DataError(f"the request has {len(inputs)} inputs; allowed: 1 to {most}; send several requests")
        for item in inputs:
            if isinstance(item, str) and self.kind in ("texts", "prompt", "words"):
                self.check_text(item)
                if self.kind == "texts" and not item.strip():
                    raise DataError("a text is empty; allowed: one or more characters; leave it out")
            elif self.kind in ("texts", "prompt", "words"):
                text_of(item)

    def check_text(self, text: str) -> None:
        """Checks the length of a text.

        Raises:
            DataError: It is too long, or UTF-8 cannot encode it.
        """
        text_of(text)
        if len(text) > self.limits.length:
            raise DataError(f"a text has {len(text):,} characters; allowed: {self.limits.length:,}; cut it")

    async def predict(self, inputs: Sequence[Input], given: Mapping[str, Any]) -> list[Row]:
        """Predicts as `seqtasks predict --format json` does.

        Args:
            inputs: Inputs of a request.
            given: Options of the task's `PredictOptions`.

        Returns:
            The rows of all inputs.

        Raises:
            SeqtasksError: Inputs or options that the task or the limits do not allow.
        """
        self.check(inputs)
        options = self.options(given)
        if self.generator is not None:
            return [await self._continuation(text_of(text), options) for text in inputs]
        key = (options, self._length(inputs)) if self.task.separate_inputs else object()
        rows = await self._batcher.submit(self._predict, (self.name, key), (inputs, options))
        return [{name: plain(value) for name, value in row.items()} for row in rows]

    def _length(self, inputs: Sequence[Input]) -> int:
        """The length of the longest input, rounded up, so that little padding is computed."""
        longest = max(len(item.split()) if isinstance(item, str) else len(str(item.get("base64"))) for item in inputs)
        return max(LEAST_WORDS, padded_length(longest))

    def _predict(self, requests: Sequence[tuple[Sequence[Input], Any]]) -> list[list[Row]]:
        """Rows of several requests with equal options."""
        options = requests[0][1]
        inputs = [item for items, _ in requests for item in items]
        if self.kind == "array":
            return [self._outputs(items) for items, _ in requests]
        rows = self._rows(inputs, options)
        if len(requests) == 1:
            return [rows]
        count, remainder = divmod(len(rows), len(inputs))
        assert not remainder, f"{len(rows)} rows for {len(inputs)} inputs"
        ends = np.cumsum([count * len(items) for items, _ in requests]).tolist()
        return [rows[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]

    def _rows(self, inputs: Sequence[Input], options: Any) -> list[Row]:
        """Rows that `Task.predict` returns; its files are in a folder of their own."""
        if self.kind in ("texts", "words"):
            return list(self.task.predict(self.run.model, [text_of(item) for item in inputs], options))  # type: ignore[arg-type]
        with TemporaryDirectory(prefix="seqtasks-") as folder:
            paths = [str(write_file(item, self.kind, Path(folder), i)) for i, item in enumerate(inputs)]
            names = {path: _name(item) for path, item in zip(paths, inputs, strict=True)}
            rows: Any = self.task.predict(self.run.model, paths, options)
        return [{key: names.get(v, v) if isinstance(v, str) else v for key, v in row.items()} for row in rows]

    def _outputs(self, inputs: Sequence[Input]) -> list[Row]:
        """Outputs of the model for arrays, for a task without `predict`."""
        if len(self.run.model.inputs) != 1:
            raise DataError(f"the model has {len(self.run.model.inputs)} inputs; allowed: models with one; export it")
        wanted, rows = self.run.model.inputs[0], []
        for item in inputs:
            array = array_of(item)
            shape = tuple(wanted.shape[1:])
            if len(shape) != array.ndim or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
                raise DataError(f"the array has shape {array.shape}; allowed: {shape}; send such an array")
            try:
                output = np.asarray(self.run.model.predict_on_batch(array[None].astype(wanted.dtype)))[0]
            except Exception as error:  # of the backend, of any type
                raise DataError(
                    "the model cannot read these numbers; allowed: numbers as in training; look at the data"
                ) from error
            row: Row = {"output": output.tolist()}
            if self.task.classes and output.ndim == 1:
                p = np.exp(log_softmax(output))
                row = {"answer": self.task.classes[int(p.argmax())], **row}
            rows.append(row)
        return rows

    async def _continuation(self, prompt: str, options: Any) -> Row:
        session = Session(self.name)
        text = await self.read(session, prompt, options.seed)
        return {"prompt": prompt, "text": text + "".join([part async for part in self.generate(session, options)])}

    async def read(self, session: Session, text: str, seed: int = 0) -> str:
        """Reads a text after what the session has read and generated.

        Args:
            session: The session.
            text: The text.
            seed: Seed of the tokens that are generated after it.

        Returns:
            The text to print before the continuation.

        Raises:
            DataError: The text is too long.
            ConfigError: The text has no token.
        """
        self.check_text(text)
        visible, tokens = self._language.encode_prompt(text)
        first = session.states is None
        logits, states = await self._batcher.submit(
            self._read, (self.name, first, padded_length(len(tokens))), (tokens, session.states)
        )
        session.logits, session.states, session.seed = logits, states, seed
        session.generated, session.drawn = [], 0
        return visible

    async def generate(self, session: Session, options: Any, chunk: int = CHUNK) -> AsyncIterator[str]:
        """Yields pieces of the text that continues a session.

        The tokens are those of `seqtasks predict` with the same seed.

        Args:
            session: Session that has read a text.
            options: Options of `predict`; those of sampling and the length count.
            chunk: Number of tokens at a time.

        Raises:
            ConfigError: The session has read nothing.
        """
        self.check_session(session)
        before = len(session.generated)
        yielded, end = self._language.text_of(session.generated, complete=False), before + options.length
        while len(session.generated) < end:
            count = min(chunk, end - len(session.generated))
            key = (self.name, count, options.temperature, options.top_k, options.top_p)
            drawn = uniform(count, [session.seed], session.drawn)
            tokens, logits, states = await self._batcher.submit(
                self._generate, key, (session.logits, session.states, drawn, options)
            )
            session.logits, session.states, session.drawn = logits, states, session.drawn + count
            session.generated += tokens
            self._count_tokens(count)
            text = self._language.text_of(session.generated, complete=len(session.generated) == end)
            yield text[len(yielded) :]
            yielded = text

    @staticmethod
    def check_session(session: Session) -> None:
        """Checks that a session can be continued.

        Raises:
            ConfigError: It has read nothing.
        """
        if session.logits is None:
            raise ConfigError("the session has read no text; allowed: one or more tokens; send a text first")

    @property
    def _language(self) -> LanguageTask:
        assert isinstance(self.task, LanguageTask)
        return self.task

    def _read(self, requests: Sequence[tuple[IntArray, Any]]) -> list[tuple[Any, Any]]:
        assert self.generator is not None
        states = None if requests[0][1] is None else joined([states for _, states in requests])
        logits, states = self.generator.read([tokens for tokens, _ in requests], states)
        return [(logits[i : i + 1].copy(), row_of(states, i)) for i in range(len(requests))]

    def _generate(self, requests: Sequence[tuple[Any, Any, Any, Any]]) -> list[tuple[list[int], Any, Any]]:
        assert self.generator is not None
        options, count = requests[0][3], len(requests)
        # Where a step is compiled for each shape, a batch is filled up with copies of a row to a power of 2.
        rows = list(requests)
        if self.generator.writer() is None:
            rows += [rows[0]] * ((1 << (count - 1).bit_length()) - count)
        tokens, logits, states = self.generator.generate(
            np.concatenate([row[0] for row in rows]),
            joined([row[1] for row in rows]),
            np.concatenate([row[2] for row in rows], axis=1),
            options.temperature,
            options.top_k,
            options.top_p,
        )
        return [(tokens[i].tolist(), logits[i : i + 1].copy(), row_of(states, i)) for i in range(count)]


def joined(states: Sequence[Any]) -> list[list[Any]]:
    """Joins the states of several rows to those of a batch."""
    return [[np.concatenate(rows) for rows in zip(*layers, strict=True)] for layers in zip(*states, strict=True)]


def row_of(states: Any, row: int) -> list[list[Any]]:
    """The states of one row of a batch, copied, so that they do not hold those of the others."""
    return [[np.array(state[row : row + 1]) for state in layer] for layer in states]


def plain(value: Any) -> Any:
    """A value of a row as JSON can hold it; a number that is not finite is None.

    Example:
        >>> import numpy as np
        >>> plain(np.float32(0.5)), plain(float("nan")), plain(("a", np.int64(1)))
        (0.5, None, ['a', 1])
    """
    if isinstance(value, Text):
        return value.plain
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def _name(item: Input) -> str:
    """The name of a file of a request; empty: it has none."""
    return "" if isinstance(item, str) else str(item.get("name") or "")
