"""Served models with what their requests share: the thread of the models, sessions, metrics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from starlette.exceptions import HTTPException

from seqtasks.core.errors import UnknownNameError, suggest
from seqtasks.deploy.opened_run import OpenedRun
from seqtasks.deploy.serving.batching import Batcher
from seqtasks.deploy.serving.limits import Limits
from seqtasks.deploy.serving.metrics import Metrics
from seqtasks.deploy.serving.served_model import ServedModel
from seqtasks.deploy.serving.sessions import Sessions
from seqtasks.deploy.serving.streams import TextStreams


class Service:
    """Served models with what their requests share.

    Args:
        runs: The opened runs.
        limits: Limits of the server.
    """

    def __init__(self, runs: Sequence[OpenedRun], limits: Limits):
        self.limits, self.sessions = limits, Sessions(limits.sessions, limits.session_seconds)
        self.batcher = Batcher(
            limits.batch, limits.collect_seconds, limits.waiting, lambda size: self.metrics.batches.observe(size)
        )
        self.metrics = Metrics(lambda: len(self.batcher), lambda: len(self.sessions))
        self.streams = TextStreams(self.sessions, limits.seconds)
        served = (ServedModel(run, self.batcher, limits, self.metrics.tokens.inc) for run in runs)
        self.models = {model.name: model for model in served}

    def model(self, name: str | None) -> ServedModel:
        """Returns the model of a request.

        Args:
            name: Name of the run; None: the only one.

        Raises:
            UnknownNameError: There is no such model, or the name is needed.
        """
        if name is None and len(self.models) == 1:
            return next(iter(self.models.values()))
        if name is None:
            raise UnknownNameError(f"no model is named; allowed: {', '.join(self.models)}; add one as model")
        if name not in self.models:
            raise UnknownNameError(f"unknown model {name[:100]!r}; {suggest(name[:100], self.models)}")
        return self.models[name]

    def language_model(self, name: str | None) -> ServedModel:
        """Returns the model of a request, which has to generate text.

        Args:
            name: Name of the run; None: the only one.

        Raises:
            UnknownNameError: There is no such model, or it generates no text.
        """
        model = self.model(name)
        if model.generator is None:
            raise UnknownNameError(
                f"{model.name} is a model of task {model.task.name}, which generates no text; allowed: language "
                "models; ask it by POST /predict"
            )
        return model

    @contextlib.contextmanager
    def time_limit(self) -> Iterator[Any]:
        """Turns the end of the time of a request into status 408."""
        try:
            yield asyncio.timeout(self.limits.seconds)
        except TimeoutError as error:
            raise HTTPException(
                408,
                f"the answer takes longer than {self.limits.seconds:g} s; allowed: less; send fewer or shorter inputs",
            ) from error

    async def warm(self) -> None:
        """Computes examples with all models."""
        for model in self.models.values():
            await model.warm()
