"""Stored outputs of test examples: their formulas, and the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sacrebleu
from sklearn import metrics

from seqtasks.core.errors import ConfigError, DamagedRunError
from seqtasks.experiments import example_outputs
from seqtasks.experiments.example_outputs import ExampleOutputs
from seqtasks.task_types.seq2seq.scores import line_terms

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("mean", lambda x: x.mean()),
        ("root_mean", lambda x: np.sqrt(x.mean())),
        ("exp_mean", lambda x: np.exp(x.mean())),
    ],
)
def test_formulas_of_means(formula: str, expected: object) -> None:
    values = RNG.uniform(size=50)
    kept = ExampleOutputs.of(values, formula)
    assert kept.score == pytest.approx(expected(values))  # type: ignore[operator]
    assert kept.determines(kept.score * (1 + 1e-6)) and not kept.determines(kept.score * 1.01)


def test_f1_of_correct_predicted_and_true() -> None:
    kept = ExampleOutputs.of([[1, 2, 1], [1, 1, 3]], "f1")  # precision 2/3, recall 1/2
    assert kept.score == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))
    assert ExampleOutputs.of([[0, 0, 0]], "f1").score == 0


def test_macro_f1_and_r2_are_those_of_scikit_learn() -> None:
    true, predicted = RNG.random((2, 30, 3)) < 0.4
    terms = np.stack([true & predicted, predicted, true], axis=-1).reshape(30, -1).astype(float)
    expected = metrics.f1_score(true, predicted, average="macro", zero_division=0)
    assert ExampleOutputs.of(terms, "macro_f1").score == pytest.approx(expected)
    y = RNG.normal(size=(30, 2))
    output = y + RNG.normal(size=(30, 2))
    terms = np.stack([(output - y) ** 2, y, y**2, np.ones_like(y)], axis=-1).reshape(30, -1)
    assert ExampleOutputs.of(terms, "r2").score == pytest.approx(metrics.r2_score(y, output))


def test_bleu_is_that_of_sacrebleu_for_any_sample_of_lines() -> None:
    words = ["a", "red", "ball", "two", "men", "ride", "bikes"]
    lines = [" ".join(RNG.choice(words, RNG.integers(1, 8))) for _ in range(60)]
    references = [[" ".join(RNG.choice(words, RNG.integers(2, 9)))] for _ in lines]
    references[0] = [lines[0], "two men"]
    terms, formula = line_terms(lines, references, "bleu") or (None, "")
    for rows in [np.arange(60), *(RNG.integers(60, size=size) for size in (60, 20, 5, 2, 1))]:
        chosen = [references[i] for i in rows]
        count = max(map(len, chosen))
        streams = [[row[i] if i < len(row) else None for row in chosen] for i in range(count)]
        expected = sacrebleu.corpus_bleu([lines[i] for i in rows], streams).score
        assert ExampleOutputs.of(np.asarray(terms)[rows], formula).score == pytest.approx(expected, abs=1e-6)
    assert ExampleOutputs.of([[3, 3, 0, 0, 0, 0, 3, 2, 1, 0]], "bleu").score == 0  # nothing matches


def test_chrf_is_that_of_sacrebleu_for_any_sample_of_lines() -> None:
    from sacrebleu.metrics.chrf import CHRF

    rng = np.random.default_rng(1)
    words = np.array(["a", "cat", "sat", "on", "the", "mats", "über", "日本語"])
    lines = [" ".join(rng.choice(words, rng.integers(0, 7))) for _ in range(40)]
    references = [
        [" ".join(rng.choice(words, rng.integers(0 if i else 1, 7))) for i in range(1 + row % 3)] for row in range(40)
    ]
    terms, formula = line_terms(lines, references, "chrf") or (None, "")
    assert terms is not None and formula == "chrf"
    for _ in range(5):
        rows = rng.integers(40, size=30)
        ranked = [[(references[i] + [None] * 3)[k] for i in rows] for k in range(3)]
        expected = CHRF().corpus_score([lines[i] for i in rows], ranked).score
        assert ExampleOutputs.of(terms[rows], formula).score == pytest.approx(expected, rel=1e-9)
    assert ExampleOutputs.of(terms[:1] * 0, formula).score == 0


def test_the_file_has_terms_and_outputs_in_small_types(tmp_path: Path) -> None:
    logits = RNG.normal(size=(40, 3))
    example_outputs.write(ExampleOutputs.of(logits[:, 0] > 0, outputs=logits), tmp_path)
    kept = example_outputs.read(tmp_path)
    assert kept is not None and kept.outputs.dtype == np.float16
    np.testing.assert_allclose(kept.outputs, logits, atol=0.01)
    assert kept.score == np.mean(logits[:, 0] > 0)
    for outputs, dtype in (([0, 7], "uint8"), ([-1, 300], "int64"), (["a", "bc"], "<U2")):
        example_outputs.write(ExampleOutputs.of([0, 1], outputs=np.array(outputs)), tmp_path)
        stored = example_outputs.read(tmp_path)
        assert stored is not None and stored.outputs.dtype == dtype and stored.outputs.tolist() == outputs


def test_a_file_has_at_most_two_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example_outputs, "MOST_BYTES", 6_000)
    values = RNG.normal(size=2_000) ** 2
    example_outputs.write(ExampleOutputs.of(values, "root_mean", outputs=values), tmp_path)
    kept = example_outputs.read(tmp_path)
    assert (tmp_path / example_outputs.FILE).stat().st_size <= 6_000
    assert kept is not None and kept.outputs is None and 500 <= len(kept.terms) <= 1_000
    assert kept.determines(float(np.sqrt(values.mean())))


def test_a_folder_without_the_file_and_a_damaged_file(tmp_path: Path) -> None:
    assert example_outputs.read(tmp_path) is None
    (tmp_path / example_outputs.FILE).write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(DamagedRunError, match=r"cannot read .*outputs\.npz: .*; remove it, and write it again"):
        example_outputs.read(tmp_path)
    with (tmp_path / example_outputs.FILE).open("wb") as file:
        np.savez(file, terms=np.ones((3, 2)), formula="median")
    with pytest.raises(DamagedRunError, match="formula 'median'"):
        example_outputs.read(tmp_path)


def test_an_unknown_formula() -> None:
    with pytest.raises(ConfigError, match=r"unknown formula 'median' of outputs; allowed: mean, .*; name one"):
        ExampleOutputs.of([1.0], "median")
