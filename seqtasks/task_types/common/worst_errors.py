"""Tables of the worst errors on the test split, for `plots/worst_errors.csv`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from pandas import DataFrame

MOST = 200  # rows
AROUND = 8  # words before and after a wrong one
TEXT = 1000  # characters of a text
Rows = Sequence[Sequence[str]]


def worst_of_classes(
    logits: FloatArray, targets: IntArray, classes: Sequence[str], examples: Sequence[str] | None = None
) -> DataFrame:
    """The wrong answers of a classifier, those with the least probability of the true class first.

    Args:
        logits: `(examples, classes)`.
        targets: Target class numbers, `(examples,)`.
        classes: Names of the classes.
        examples: Text that names or shows each example; None: its number only.

    Returns:
        A table of at most 200 rows with the columns `example` (number in the test split, from 0), `true`, `predicted`,
        `P(true)`, `P(predicted)` and `text`.

    Example:
        >>> logits = np.log([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
        >>> worst_of_classes(logits, np.array([1, 0, 1]), ["no", "yes"])["P(true)"].round(2).tolist()
        [0.1, 0.4]
    """
    import pandas as pd

    predicted = logits.argmax(axis=-1)
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    rows = np.arange(len(targets))
    true = p[rows, targets]
    wrong = np.flatnonzero(predicted != targets)
    wrong = wrong[np.argsort(true[wrong], kind="stable")][:MOST]
    columns = {
        "example": wrong,
        "true": [classes[n] for n in targets[wrong]],
        "predicted": [classes[n] for n in predicted[wrong]],
        "P(true)": true[wrong],
        "P(predicted)": p[wrong, predicted[wrong]],
    }
    if examples is not None:
        columns["text"] = [examples[n][:TEXT] for n in wrong.tolist()]
    return pd.DataFrame(columns).set_index("example")


def worst_of_numbers(predicted: FloatArray, targets: FloatArray, names: Sequence[str] = ()) -> DataFrame:
    """The predicted numbers that are farthest from the true ones.

    Args:
        predicted: `(examples,)`.
        targets: `(examples,)`.
        names: Name of each example; empty: only its number.

    Returns:
        A table of at most 200 rows with the columns `example` (number in the test split, from 0), `name`, `true`,
        `predicted` and `error`.
    """
    import pandas as pd

    errors = np.abs(np.asarray(predicted, np.float64) - targets)
    worst = np.argsort(-errors, kind="stable")[:MOST]
    columns = {"example": worst, "name": [names[n] for n in worst.tolist()]} if len(names) else {"example": worst}
    columns |= {"true": targets[worst], "predicted": predicted[worst], "error": errors[worst]}
    return pd.DataFrame(columns).set_index("example")


def worst_tags(words: Rows, true: Rows, predicted: Rows, separator: str = " ") -> DataFrame:
    """The wrongly tagged words, the most frequent errors first, each with one sentence.

    Args:
        words: Words of each sentence.
        true: Target tags.
        predicted: Predicted tags.
        separator: Text between two words of a sentence; empty for tagged characters.

    Returns:
        A table of at most 200 rows with the columns `word`, `true`, `predicted`, `count` (how often this word has this
        error), `sentence` (number in the test split, from 1) and `text`, in which the word stands in brackets.

    Example:
        >>> worst_tags([["a", "run"], ["a", "run"]], [["D", "N"]] * 2, [["D", "V"]] * 2)["text"].tolist()
        ['a [run]']
    """
    import pandas as pd

    counts: Counter[tuple[str, str, str]] = Counter()
    first: dict[tuple[str, str, str], tuple[int, int]] = {}
    for number, (row, labels, outputs) in enumerate(zip(words, true, predicted, strict=True)):
        for position, error in enumerate(zip(row, labels, outputs, strict=True)):
            if error[1] != error[2]:
                counts[error] += 1
                first.setdefault(error, (number, position))
    rows = []
    for error, count in counts.most_common(MOST):
        number, position = first[error]
        rows.append(
            [error[0].replace("\n", "⏎"), *error[1:], count, number + 1, _context(words[number], position, separator)]
        )
    return pd.DataFrame(rows, columns=["word", "true", "predicted", "count", "sentence", "text"]).set_index("word")


def worst_sentences(words: Rows, true: Rows, predicted: Rows, separator: str = " ") -> DataFrame:
    """The sentences with most wrong tags.

    Args:
        words: Words of each sentence.
        true: Target tags.
        predicted: Predicted tags.
        separator: Text between two words of a sentence; empty for tagged characters.

    Returns:
        A table of at most 200 rows with the columns `sentence` (number in the test split, from 1), `wrong`, `words` and
        `text`, in which each wrongly tagged word is in brackets with its target and its predicted tag.

    Example:
        >>> worst_sentences([["a", "run"], ["a"]], [["D", "N"], ["D"]], [["D", "V"], ["D"]])["text"].tolist()
        ['a [run: N → V]']
    """
    import pandas as pd

    rows: list[tuple[int, int, int, str]] = []
    for number, (row, labels, outputs) in enumerate(zip(words, true, predicted, strict=True), 1):
        wrong = sum(label != output for label, output in zip(labels, outputs, strict=True))
        if wrong:
            marked = [
                word if label == output else f"[{word}: {label} → {output}]"
                for word, label, output in zip(row, labels, outputs, strict=True)
            ]
            rows.append((number, wrong, len(row), separator.join(marked).replace("\n", "⏎")[:TEXT]))
    rows.sort(key=lambda row: (-row[1], row[0]))
    return pd.DataFrame(rows[:MOST], columns=["sentence", "wrong", "words", "text"]).set_index("sentence")


def least_certain(
    words: Rows, predicted: Rows, confidences: Sequence[Sequence[float]], separator: str = " "
) -> DataFrame:
    """The sentences with the tags of lowest probability, which are worth correcting first.

    Args:
        words: Words of each sentence.
        predicted: Predicted tags.
        confidences: Probability of each predicted tag.
        separator: Text between two words of a sentence; empty for tagged characters.

    Returns:
        A table of at most 200 rows, ordered by `lowest`, with the columns `sentence` (number in the test split, from
        1), `lowest` and `mean` of the probabilities, and `text`, in which each word whose tag has a probability below
        0.5 is in brackets with its tag.

    Example:
        >>> table = least_certain([["a", "run"], ["a"]], [["D", "N"], ["D"]], [[0.9, 0.4], [0.99]])
        >>> table["text"].tolist()
        ['a [run: N]', 'a']
    """
    import pandas as pd

    rows: list[tuple[int, float, float, str]] = []
    for number, (row, tags, shares) in enumerate(zip(words, predicted, confidences, strict=True), 1):
        if not row:
            continue
        marked = [
            word if share >= 0.5 else f"[{word}: {tag}]" for word, tag, share in zip(row, tags, shares, strict=True)
        ]
        text = separator.join(marked).replace("\n", "⏎")[:TEXT]
        rows.append((number, min(shares), sum(shares) / len(shares), text))
    rows.sort(key=lambda row: (row[1], row[0]))
    return pd.DataFrame(rows[:MOST], columns=["sentence", "lowest", "mean", "text"]).set_index("sentence")


def confused_classes(true: Sequence[str], predicted: Sequence[str]) -> DataFrame:
    """Every pair of a true class and another predicted one, the most frequent first.

    Args:
        true: Class of each example.
        predicted: Predicted class.

    Returns:
        A table with the columns `true`, `predicted`, `count`, and `share`, the part of the examples of the true class.

    Example:
        >>> confused_classes(["N", "N", "V"], ["V", "N", "V"]).reset_index().values.tolist()
        [['N', 'V', 1, 0.5]]
    """
    import pandas as pd

    totals = Counter(true)
    pairs = Counter(pair for pair in zip(true, predicted, strict=True) if pair[0] != pair[1])
    rows = [[*pair, count, count / totals[pair[0]]] for pair, count in pairs.most_common()]
    return pd.DataFrame(rows, columns=["true", "predicted", "count", "share"]).set_index("true")


def _context(words: Sequence[str], position: int, separator: str) -> str:
    around = AROUND if separator else 3 * AROUND
    before, after = words[max(0, position - around) : position], words[position + 1 : position + 1 + around]
    start = "… " * (position > around)
    end = " …" * (position + 1 + around < len(words))
    text = separator.join([*before, f"[{words[position]}]", *after])
    return start + text.replace("\n", "⏎") + end
