"""Scores of generated text (BLEU, chrF), and a word-by-word translation baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.experiments.example_outputs import ExampleOutputs

if TYPE_CHECKING:
    from pandas import DataFrame

Lines = Sequence[str]


def line_scores(predicted: Lines, references: Sequence[Lines]) -> dict[str, float]:
    """Computes BLEU, chrF and the share of exact matches of predicted lines.

    BLEU and chrF are those of sacrebleu: of the whole corpus, cased, on untokenized lines, from 0 to 100.

    Args:
        predicted: Predicted lines.
        references: Reference lines of each predicted line, one or more.

    Returns:
        The scores `bleu`, `chrf` and `exact`, the share of lines equal to one of their references.

    Example:
        >>> line_scores(["a red ball", "two"], [["a red ball"], ["2", "two"]])["exact"]
        1.0
    """
    import sacrebleu

    count = max(map(len, references))  # sacrebleu takes one list for each rank, with None where a line has fewer
    streams: Any = [[lines[i] if i < len(lines) else None for lines in references] for i in range(count)]
    return {
        "bleu": float(sacrebleu.corpus_bleu(list(predicted), streams).score),
        "chrf": float(sacrebleu.corpus_chrf(list(predicted), streams).score),
        "exact": sum(line in lines for line, lines in zip(predicted, references, strict=True)) / len(references),
    }


def line_terms(predicted: Lines, references: Sequence[Lines], metric: str) -> tuple[FloatArray, str] | None:
    """Computes the terms of a score for each line.

    Args:
        predicted: Predicted lines.
        references: Reference lines of each predicted line, one or more.
        metric: "bleu", "chrf" or "exact".

    Returns:
        The terms, `(lines, terms)`, and the name of their formula, see
        `seqtasks.experiments.example_outputs.ExampleOutputs`; None for another metric.

    Example:
        >>> terms, formula = line_terms(["a red ball"], [["a red ball"]], "bleu")
        >>> terms.astype(int).tolist(), formula
        ([[3, 3, 3, 2, 1, 0, 3, 2, 1, 0]], 'bleu')
    """
    if metric == "exact":
        rows = [[line in lines, 1] for line, lines in zip(predicted, references, strict=True)]
        return np.array(rows, np.float64), "mean"
    if metric == "chrf":
        return np.array([_chrf_terms(*pair) for pair in zip(predicted, references, strict=True)], np.float64), "chrf"
    if metric != "bleu":
        return None
    from sacrebleu.metrics.bleu import BLEU

    sentence = BLEU(effective_order=True)  # without it sacrebleu warns; the counts are the same
    scores = [sentence.sentence_score(line, list(lines)) for line, lines in zip(predicted, references, strict=True)]
    return np.array([[s.sys_len, s.ref_len, *s.counts, *s.totals] for s in scores], np.float64), "bleu"


def _chrf_terms(line: str, references: Lines) -> list[int]:
    """Numbers of character 1- to 6-grams of a line, of its reference, and of both, without white space.

    Of several references it is the one with the highest chrF, as in sacrebleu.
    """
    best: list[int] = []
    for reference in references:
        terms: list[int] = []
        for n in range(1, 7):
            output, true = (
                Counter(text[i : i + n] for i in range(len(text) - n + 1))
                for text in ("".join(line.split()), "".join(reference.split()))
            )
            terms += [output.total() if true else 0, true.total(), (output & true).total()]
        if not best or _chrf_of(terms) > _chrf_of(best):
            best = terms
    return best


def _chrf_of(terms: list[int]) -> float:
    return ExampleOutputs.of([terms], "chrf").score


def worst_lines(
    predicted: Lines, references: Sequence[Lines], inputs: Lines | None = None, most: int = 200
) -> DataFrame:
    """The lines that differ most from their references: those with the lowest chrF.

    Args:
        predicted: Predicted lines.
        references: Reference lines of each predicted line.
        inputs: Text that shows each input; None: its number only.
        most: Maximum number of rows.

    Returns:
        A table with the columns `example` (number in the test split, from 0), `chrf`, `input`, `predicted` and
        `reference`.
    """
    import pandas as pd
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()
    wrong = [i for i, (line, lines) in enumerate(zip(predicted, references, strict=True)) if line not in lines]
    scores = {i: float(metric.sentence_score(predicted[i], list(references[i])).score) for i in wrong}
    worst = sorted(wrong, key=lambda i: (scores[i], i))[:most]
    columns: dict[str, list[Any]] = {"example": worst, "chrf": [scores[i] for i in worst]}
    if inputs is not None:
        columns["input"] = [inputs[i] for i in worst]
    columns |= {
        "predicted": [predicted[i] for i in worst],
        "reference": [" / ".join(references[i]) for i in worst],
    }
    return pd.DataFrame(columns).set_index("example")


def signature() -> str:
    """Returns sacrebleu's signature of the BLEU score: its version and settings."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU()
    metric.corpus_score(["a"], [["a"]])  # the signature needs the number of references, which is set here
    return str(metric.get_signature())


def word_by_word(train: tuple[Lines, Lines], sources: Lines, rounds: int = 5) -> tuple[list[str], int]:
    """Translates each word by its likeliest translation under IBM model 1.

    The model is that of NLTK (https://www.nltk.org).

    Reference: Brown et al. 1993, https://aclanthology.org/J93-2003/

    Args:
        train: Source lines and target lines of the training split.
        sources: Lines to translate; words that do not occur in training are copied.
        rounds: Number of iterations of expectation maximization.

    Returns:
        The translations, and the number of word pairs that have a probability.
    """
    from nltk.translate import AlignedSent, IBMModel1

    pairs = [AlignedSent(b.split(), a.split()) for a, b in zip(*train, strict=True)]
    table = IBMModel1(pairs, rounds).translation_table  # p(target word | source word)
    best: dict[str | None, tuple[float, str]] = {}
    size = 0
    for target, row in table.items():
        size += len(row)
        for source, p in row.items():
            best[source] = max(best.get(source, (0.0, "")), (p, target))
    return [" ".join(best.get(word, (0.0, word))[1] for word in line.split()) for line in sources], size
