"""Panel of language models: generated text, likeliest next tokens, a unit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from seqtasks.core.arrays import FloatArray
from seqtasks.core.errors import ConfigError
from seqtasks.decoding.sampling import Sampler, uniform
from seqtasks.deploy.text_generator import TextGenerator
from seqtasks.task_types import LanguageTask
from seqtasks.training.inference import options_of
from seqtasks.views import colored_text
from seqtasks.views.playground import markup
from seqtasks.views.playground.opened import TURNS, OpenedRun
from seqtasks.views.playground.panels.panel import Outputs, Panel, value_of

PAUSE = 0.2  # seconds between two pictures of the text that is generated
MOST_TOKENS = 2000  # maximum number of tokens of a request
MOST_TEXT = 10_000  # maximum number of tokens of a text that is continued
SHOWN = 10  # number of likeliest next tokens


@dataclass(frozen=True, eq=False)
class Generated:
    """Text that a visitor has generated, and the states to continue from.

    Attributes:
        visible: The prompt as it is shown.
        tokens: Generated tokens.
        values: State of the last layer after each of them, `(units,)` each.
        logits: Logits of the next token, `(1, size)`.
        states: States of all layers, nested lists of `(1, …)`.
    """

    visible: str
    tokens: list[int]
    values: list[FloatArray]
    logits: Any
    states: Any


class GenerationPanel(Panel):
    """Panel of language models: generates, and continues the text that the visitor has.

    Args:
        runs: Runs of one task.
    """

    LABEL = "Generate"

    def __init__(self, runs: Sequence[OpenedRun]):
        super().__init__(runs)
        self._generators = {id(run): TextGenerator(self._task(run), run.model) for run in self.runs}

    def inputs(self) -> list[Any]:
        import gradio as gr

        units = min(run.config.encoder.widths[-1] for run in self.runs)
        prompt = gr.Textbox("\n", lines=2, max_lines=8, label="Prompt", elem_classes="input-text")
        with gr.Row():
            length = gr.Slider(1, MOST_TOKENS, 200, step=1, label="tokens", info="number to generate")
            temperature = gr.Slider(0, 2, 0.8, step=0.05, label="temperature", info="0: always the likeliest token")
        with gr.Row():
            top_k = gr.Textbox(label="top k", info="likeliest tokens to sample from; empty: all")
            top_p = gr.Textbox(label="top p", info="their total probability; empty: 1")
            seed = gr.Number(0, precision=0, minimum=0, label="seed", info="the same seed gives the same text")
            unit = gr.Number(
                0, precision=0, label="unit", info=f"of the last layer, 0 to {units - 1}, colours the text"
            )
        return [prompt, length, temperature, top_k, top_p, seed, unit]

    def outputs(self, run: OpenedRun) -> list[Any]:
        import gradio as gr

        return [gr.HTML(elem_classes="column"), gr.State(None, time_to_live=3600)]

    def actions(self) -> dict[str, Callable[..., Outputs]]:
        return {self.LABEL: self.answer, "Continue": self.more}

    def answer(self, run: OpenedRun, prompt: str, *options: Any) -> Outputs:
        with TURNS.turn():
            visible, logits, states = self._generators[id(run)].start(prompt)
        yield from self._stream(run, Generated(visible, [], [], logits, states), *options)

    def more(self, run: OpenedRun, prompt: str, *options: Any) -> Outputs:
        """Yields the continuation of the visitor's text; without one, that of the prompt."""
        *options, state = options  # type: ignore[assignment]
        if state is None:
            yield from self.answer(run, prompt, *options)
        else:
            yield from self._stream(run, state, *options)

    def _stream(
        self,
        run: OpenedRun,
        state: Generated,
        length: Any,
        temperature: Any,
        top_k: Any,
        top_p: Any,
        seed: Any,
        unit: Any,
    ) -> Outputs:
        values = {"length": length, "temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
        chosen = {name: value_of(value) for name, value in values.items()}
        o = options_of(type(self._task(run)), {name: value for name, value in chosen.items() if value is not None})
        length, done = min(o.length, MOST_TOKENS), len(state.tokens)
        if done >= MOST_TEXT:
            raise ConfigError(f"the text has {done:,} tokens; allowed: {MOST_TEXT:,}; generate a new one")
        sampler = Sampler(self._generators[id(run)], o.temperature, o.top_k, o.top_p)
        tokens, units, shown = list(state.tokens), list(state.values), time.monotonic()
        for sampled in sampler.stream(state.logits, state.states, uniform(length, [o.seed], done)):
            tokens.append(int(sampled.tokens[0, 0]))
            units.append(ops.convert_to_numpy(sampled.states[-1][0])[0])
            last = len(tokens) == done + length
            if last or time.monotonic() - shown > PAUSE:
                shown = time.monotonic()
                logits, states = ops.convert_to_numpy(sampled.logits), sampled.states
                now = Generated(state.visible, tokens.copy(), units.copy(), logits, states)
                yield self.show(run, now, int(unit or 0)), now

    def show(self, run: OpenedRun, text: Generated, unit: int) -> str:
        """HTML of a text coloured by a unit, and of the likeliest next tokens.

        Args:
            run: The run.
            text: The text.
            unit: Number of the unit; one that the layer does not have counts as its first or last.
        """
        words, names = self._task(run).vocabulary, run.model.get_layer("encoder").layers[-1][0].cell.states
        unit = min(max(0, unit), len(text.values[0]) - 1)
        series = np.array([value[unit] for value in text.values], np.float64)
        separator = " " if words.kind == "words" else ""
        labels = [words.decode([token]) or words.token(token) for token in text.tokens]
        spans = colored_text.spans(labels, separator, colored_text.levels(series))
        logits = text.logits[0].astype(np.float64)
        p = np.exp(logits - logits.max())
        p /= p.sum()
        likeliest = {
            _visible(words.decode([n]) or words.token(n)): float(p[n]) for n in np.argsort(-p)[:SHOWN].tolist()
        }
        return markup.block(
            f'<div class="text"><b>{markup.escape(text.visible)}</b>{spans}</div>',
            markup.paragraph(f"colour: unit {unit} of the state {names[0]}, blue below and red above 0", "note"),
            markup.paragraph("next token, at temperature 1:", "note"),
            markup.bars(likeliest, SHOWN),
        )

    def predict_example(self, run: OpenedRun) -> None:
        symbols = self._task(run).vocabulary
        for _ in self.answer(run, symbols.decode([len(symbols) - 1]) or "\n", 2, 0.8, None, None, 0, 0):
            pass

    @staticmethod
    def _task(run: OpenedRun) -> LanguageTask:
        assert isinstance(run.task, LanguageTask)
        return run.task


def _visible(token: str) -> str:
    """Text of a token whose spaces can be seen."""
    return token.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
