"""Answers of the panels, with real runs: equal to those of `seqtasks predict`."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtasks.core import plugins
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.experiments import run_folder
from seqtasks.task_types.base import Task
from seqtasks.training import inference
from seqtasks.views.playground import page
from seqtasks.views.playground.opened import OpenedRun
from seqtasks.views.playground.panels.examples import ExamplesPanel
from seqtasks.views.playground.panels.generation import GenerationPanel
from seqtasks.views.playground.panels.images import ImagePanel, partial_probabilities
from seqtasks.views.playground.panels.panel import Panel
from seqtasks.views.playground.panels.series import SeriesPanel
from seqtasks.views.playground.panels.texts import ClassificationPanel, TaggingPanel, TranslationPanel

from .tiny_runs import opened, tables, train_on, unpack


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("playground"))


@pytest.fixture(scope="module")
def language(runs: Path) -> GenerationPanel:
    return GenerationPanel([opened(runs, "char_lm")])


def ask(panel: Panel, *values) -> list[str]:
    """HTML of all answers to a request with the default options."""
    defaults = [option.default for option in panel.options]
    return [outputs[0] for outputs in panel.answer(panel.runs[0], *values, *defaults)]


def predicted(run: OpenedRun, inputs, **options):
    return inference.predict(run.folder, inputs, options)


def test_every_task_has_a_panel_that_answers() -> None:
    kinds = {}
    for entry in plugins.tasks.entries():
        cls = plugins.load_task(entry.name)
        kinds[entry.name] = page.panel_of(cls.__new__(cls))
        assert kinds[entry.name] is ExamplesPanel or cls.predict is not Task.predict
    assert kinds["adding"] is ExamplesPanel and kinds["anomaly"] is SeriesPanel and kinds["glimpses"] is ImagePanel
    assert Panel not in kinds.values()


def text_of(page_text: str) -> str:
    """The generated text, without its prompt."""
    shown = re.search(r'<div class="text"><b>.*?</b>(.*?)</div>', page_text, re.DOTALL)
    assert shown is not None
    return unescape(re.sub(r"<[^>]*>", "", shown[1]))


@pytest.mark.parametrize(("temperature", "top_k", "top_p"), [(0, None, None), (0.8, None, None), (1.2, 5, 0.9)])
def test_a_generated_text_is_that_of_predict(language: GenerationPanel, temperature, top_k, top_p) -> None:
    run = language.runs[0]
    options = {"prompt": "the ", "length": 60, "temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": 3}
    whole = "".join(predicted(run, [], **{name: value for name, value in options.items() if value is not None}))
    *_, (shown, state) = language.answer(run, "the ", 60, temperature, top_k, top_p, 3, 0)
    assert "the " + text_of(shown) == whole and len(state.tokens) == 60


def test_visitors_who_take_turns_get_their_own_texts(language: GenerationPanel) -> None:
    run = language.runs[0]
    alone = {}
    for seed in (1, 2):
        *_, (alone[seed], _) = language.answer(run, "def ", 50, 1.0, None, None, seed, 0)
    streams, states = {seed: language.answer(run, "def ", 20, 1.0, None, None, seed, 0) for seed in (1, 2)}, {}
    while streams:
        for seed, stream in list(streams.items()):
            try:
                states[seed] = next(stream)[1]
            except StopIteration:
                del streams[seed]
    for seed in (2, 1):  # each continues from a state of its own
        *_, (shown, state) = language.more(run, "def ", 30, 1.0, None, None, seed, 0, states[seed])
        assert text_of(shown) == text_of(alone[seed]) and len(state.tokens) == 50
    assert alone[1] != alone[2]


def test_the_next_tokens_have_their_probabilities(language: GenerationPanel) -> None:
    run = language.runs[0]
    *_, (shown, state) = language.answer(run, "x", 5, 0.0, None, None, 0, 3)
    p = np.exp(state.logits[0]) / np.exp(state.logits[0]).sum()
    assert f"{np.sort(p)[-1]:.3f}" in shown and "unit 3 of the state h" in shown
    *_, (_, more) = language.more(run, "", 1, 0.0, None, None, 0, 0, state)
    assert more.tokens[-1] == int(p.argmax())


def test_a_prompt_without_a_token_is_refused(language: GenerationPanel) -> None:
    with pytest.raises(ConfigError, match="has no token; allowed: one or more"):
        list(language.answer(language.runs[0], "", 5, 1.0, None, None, 0, 0))
    with pytest.raises(ConfigError, match="top_p is 7"):
        list(language.answer(language.runs[0], "a", 5, 1.0, None, 7, 0, 0))


def test_a_sentence_has_the_probabilities_of_predict_and_coloured_words(runs: Path) -> None:
    panel = ClassificationPanel([opened(runs, "sentiment")])
    (shown,) = ask(panel, "not <a> good film")
    (row,) = predicted(panel.runs[0], ["not <a> good film"])
    for name in ("P(negative)", "P(positive)"):
        assert f"{row[name]:.3f}" in shown
    assert "<mark" in shown and "&lt;" in shown and "<a>" not in shown
    with pytest.raises(ConfigError, match="there is no text"):
        ask(panel, "  \n ")


def test_tags_stand_under_their_words(runs: Path) -> None:
    panel = TaggingPanel([opened(runs, "tagging")])
    (shown,) = ask(panel, "if x < 1:\n\nreturn")
    tags = [tag for row in predicted(panel.runs[0], ["if x < 1:", "return"]) for tag in row["tags"]]
    runs_of_tags = re.findall(r"<ruby>(.*?)<rt>(.*?)</rt>", shown)
    assert [tag for text, tag in runs_of_tags for _ in unescape(text)] == tags
    assert "".join(unescape(text) for text, _ in runs_of_tags) == "if x < 1:return"


@pytest.mark.slow
def test_a_translation_comes_first_and_then_its_attention(runs: Path) -> None:
    panel = TranslationPanel([opened(runs, "translation")])
    first, second = ask(panel, "12")
    (row,) = predicted(panel.runs[0], ["12"])
    best = row[panel.task.answer_column]
    assert best in first and best in second
    assert "data:image/png" not in first and "data:image/png" in second


def test_a_drawing_is_read_row_by_row(runs: Path) -> None:
    panel = ImagePanel([opened(runs, "mnist_rows")])
    run, file = panel.runs[0], runs.parent / "inputs" / "digit.png"
    first, second = ask(panel, {"composite": Image.open(file)})
    (row,) = predicted(run, [str(file)])
    assert all(f"{row[f'P({name})']:.3f}" in first for name in run.task.classes) and "data:image/png" in second
    image = run.task.encode_inputs([str(file)])[0]
    p = partial_probabilities(run, image)
    assert p.shape == (len(image), 10)
    assert p[-1] == pytest.approx([row[f"P({name})"] for name in run.task.classes], abs=1e-4)
    for empty in (None, {"composite": None}, {"composite": Image.new("RGBA", (8, 8))}):
        with pytest.raises(ConfigError, match="the sketch pad is empty"):
            ask(panel, empty)


def test_other_inputs_of_files_have_the_rows_of_predict(runs: Path) -> None:
    sound = str(runs.parent / "inputs" / "tone.wav")
    panel = page.panels_of([opened(runs, "spoken_strings")])["spoken_strings"]
    (shown,) = ask(panel, sound)
    (row,) = predicted(panel.runs[0], [sound])
    assert f">{row['answer']}<" in shown and "tone.wav" not in shown


def test_an_example_of_the_test_split_is_predicted(runs: Path) -> None:
    panel = ExamplesPanel([opened(runs, "copy_memory")])
    (shown,) = ask(panel, 1)
    target = panel.splits.test.targets[1]
    rows = re.findall(r"<tr>(.*?)</tr>", shown)
    assert [int(re.findall(r"<td[^>]*>(.*?)</td>", row)[3]) for row in rows[1:]] == target.tolist()
    with pytest.raises(ConfigError, match="the example is 40; allowed: 0 to 39"):
        ask(panel, 40)


def test_a_task_without_a_kind_of_its_own_has_the_panel_for_any_task(runs: Path) -> None:
    panel = Panel([opened(runs, "sentiment")])
    assert [option.name for option in panel.options] == []
    assert "strongest" not in ask(panel, "a film")[0] and "because" in ask(panel, "a film")[0]


@pytest.mark.slow
def test_series_are_read_from_files_and_texts(tmp_path: Path) -> None:
    file = tables(tmp_path)["anomaly"]
    run = OpenedRun.open(run_folder.open_run(train_on(file, "anomaly", tmp_path / "runs")))
    panel = SeriesPanel([run])
    from_file, drawn = ask(panel, str(file), "")
    assert "data:image/png" in drawn and "and 200 more rows" in from_file
    assert ask(panel, None, file.read_text(encoding="utf-8"))[0] == from_file
    with pytest.raises(ConfigError, match="there is no series"):
        ask(panel, None, "")
    with pytest.raises(DataError):  # the name of a file is no table, and the file is not read
        ask(panel, None, str(file))
