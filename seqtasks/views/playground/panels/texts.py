"""Panels of tasks that read texts: classification, tagging, translation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from seqtasks.deploy.opened_run import Answer
from seqtasks.task_types.text_classification import saliency
from seqtasks.views.playground import markup
from seqtasks.views.playground.opened import OpenedRun
from seqtasks.views.playground.panels.panel import Panel


class ClassificationPanel(Panel):
    """Panel of text classifiers: probabilities, and words coloured by influence."""

    LABEL = "Classify"

    def draw(self, *answer: Any) -> dict[str, bytes]:
        return {}  # the words are coloured in the page

    def present(self, run: OpenedRun, answer: Answer, inputs: Sequence[str]) -> str:
        legend = f'<p class="note">{markup.colored(saliency.legend())}</p>'
        return markup.block(*map(self._text, answer.rows), legend)

    def _text(self, row: dict[str, Any]) -> str:
        shown = f'<p class="text">{markup.colored(row["text"])}</p>'
        rest = {name: value for name, value in row.items() if name not in ("text", "because")}
        return self.one(rest) + shown + markup.paragraph(f"strongest words: {row['because']}", "note")


class TaggingPanel(Panel):
    """Panel of taggers: tags under the words, or under each run of characters of one class."""

    LABEL = "Tag"

    def present(self, run: OpenedRun, answer: Answer, inputs: Sequence[str]) -> str:
        lines = []
        for row in answer.rows:
            words, tags = row.get("words", row["text"]), row["tags"]
            if "words" not in row:
                parts = [(tag, list(pairs)) for tag, pairs in groupby(zip(words, tags, strict=True), itemgetter(1))]
                words, tags = ["".join(c for c, _ in pairs) for _, pairs in parts], [tag for tag, _ in parts]
            lines.append(f'<p class="tags">{markup.tagged(words, tags)}</p>')
        return markup.block(*lines)


class TranslationPanel(Panel):
    """Panel of translation: the hypotheses, and the attention of the first as a heat map."""

    LABEL = "Translate"

    def present(self, run: OpenedRun, answer: Answer, inputs: Sequence[str]) -> str:
        (best, *others), column = answer.rows, self.task.answer_column
        drawn = [markup.picture(png, name) for name, png in answer.pictures.items()]
        rows = markup.table([{"log-probability": best["log-probability"]}]) if not others else markup.table(answer.rows)
        return markup.block(markup.paragraph(str(best[column]), "best"), rows, *drawn)
