"""Language modeling task: scores, generation, options of training, splits, messages."""

import math

import keras
import numpy as np
import pytest

from seqtasks.cells.registration import make_cell
from seqtasks.core import plugins
from seqtasks.core.config import EncoderConfig
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.source import Source
from seqtasks.data.text.bptt_batches import next_tokens
from seqtasks.decoding.sampling import Sampler, uniform
from seqtasks.engines import available
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.metrics import log_softmax
from seqtasks.task_types.base import Task
from seqtasks.task_types.language_modeling.model import LanguageStep, forced, read
from seqtasks.task_types.language_modeling.task import GenerateOptions

TEXT = "the cat sat on the mat. the dog sat on the cat!\n" * 40


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text(TEXT)
    return tmp_path / "text"


def source(folder):
    return Source("files", str(folder), folder)


def make(folder, encoder=None, **options) -> tuple[Task, keras.Model, object]:
    cls = plugins.load_task("char_lm")
    task = cls(cls.Options(**options))
    splits = task.load(source(folder), 0)
    task.spec = splits.spec
    keras.utils.set_random_seed(0)
    config = EncoderConfig(**{"units": 12, "layers": 2, "cell": "gru", **(encoder or {})})
    return task, task.build_model(Encoder(config, stateful=True, max_batch=64, name="encoder")), splits


@pytest.mark.parametrize("engine", available(make_cell("lstm", 1)))
def test_the_score_does_not_depend_on_batches_or_windows(folder, engine):
    task, model, splits = make(folder, {"engine": engine})
    expected = task.score(model, task.batches(splits.train, 32))
    for batch, window in ((1, 64), (7, 64), (32, 13), (64, 1000)):
        task.options = type(task.options)(bptt=window)
        scores = task.score(model, task.batches(splits.train, batch))
        assert abs(scores["perplexity"] - expected["perplexity"]) < 1e-4
    assert expected["perplexity"] == pytest.approx(math.exp(expected["nats"])) == pytest.approx(2 ** expected["bits"])


def test_it_is_the_mean_over_all_tokens_of_one_pass(folder):
    task, model, splits = make(folder, eval_streams=1)
    tokens = np.asarray(splits.test.inputs["tokens"])[None]
    logits = forced(model).predict_on_batch([tokens, np.ones(1, bool)])
    nll = -log_softmax(logits)[0, np.arange(tokens.shape[1]), np.asarray(splits.test.targets)]
    assert task.score(model, task.batches(splits.test, 4))["nats"] == pytest.approx(nll.mean(), abs=1e-6)


def test_the_state_is_carried_from_window_to_window(folder):
    task, model, splits = make(folder, eval_streams=1)
    carried = task.score(model, task.batches(splits.train, 1))["nats"]
    reset_task, _, _ = make(folder, eval_streams=1, carry_state=False)
    reset = reset_task.score(model, reset_task.batches(splits.train, 1))["nats"]
    assert abs(carried - reset) > 1e-5


@pytest.mark.parametrize("encoder", [{}, {"cell": "lstm", "skip": "residual", "layer_norm": True}, {"cell": "min_gru"}])
def test_steps_have_the_logits_of_teacher_forcing(folder, encoder):
    _, model, splits = make(folder, encoder)
    tokens = np.asarray(splits.test.inputs["tokens"][:9], np.int32)[None].repeat(2, axis=0)
    expected = forced(model).predict_on_batch([tokens, np.ones(2, bool)])
    logits, states = read(model, tokens[:, :1])
    np.testing.assert_allclose(logits, expected[:, 0], atol=1e-5)
    for t in range(1, 9):
        logits, states = LanguageStep(model)(keras.ops.convert_to_tensor(tokens[:, t]), states)
        np.testing.assert_allclose(logits, expected[:, t], atol=1e-5)
    np.testing.assert_allclose(read(model, tokens)[0], expected[:, -1], atol=1e-5)


def test_generating_leaves_kept_states_alone(folder):
    task, model, _ = make(folder)
    before = [w.numpy() for w in model.get_layer("encoder").non_trainable_weights]
    "".join(task.predict(model, [], GenerateOptions(prompt="the ", length=20)))
    for old, weight in zip(before, model.get_layer("encoder").non_trainable_weights, strict=True):
        np.testing.assert_array_equal(old, weight)


def test_generation_goes_on_from_the_prompt_and_the_seed_decides(folder):
    task, model, _ = make(folder)

    def text(**options):
        return "".join(task.predict(model, [], GenerateOptions(**{"prompt": "the ", "length": 120, **options})))

    assert text().startswith("the ") and len(text()) == 4 + 120
    assert text() == text() != text(seed=1)
    assert text(length=70) == text()[:74]  # the pieces are one text
    assert text(temperature=0.0) == text(temperature=0.0, seed=5) == text(top_k=1)


@pytest.mark.parametrize("unit", ["words", "bpe"])
def test_pieces_of_words_and_byte_pairs_make_one_text(folder, unit):
    cls = plugins.load_task("word_lm")
    task = cls(cls.Options(unit=unit, vocab_size=400))
    task.spec = task.load(source(folder), 0).spec
    model = task.build_model(Encoder(EncoderConfig(units=8, cell="gru"), stateful=True, name="encoder"))
    pieces = list(task.predict(model, [], GenerateOptions(prompt="the cat", length=2 * task.CHUNK + 20)))
    assert len(pieces) == 4 and "".join(pieces[:1]).startswith("the cat")
    task.CHUNK = 1000
    whole = "".join(task.predict(model, [], GenerateOptions(prompt="the cat", length=120)))
    assert "".join(pieces) == whole
    if unit == "words":
        assert all(word in [*["the", "cat", "sat", "on", "mat", "dog", ".", "!", "<unk>"]] for word in whole.split())


def test_unknown_characters_in_a_prompt_do_not_crash(folder):
    task, model, _ = make(folder)
    assert "".join(task.predict(model, [], GenerateOptions(prompt="漢字 the", length=5))).startswith("漢字 the")


def test_log_probabilities_are_those_of_the_score(folder):
    task, model, splits = make(folder, eval_streams=1)
    text = task.vocabulary.decode([*splits.test.inputs["tokens"], splits.test.targets[-1]])
    units = task.log_probabilities(model, text)
    assert "".join(unit for unit, _ in units) == text[1:]
    nats = task.score(model, task.batches(splits.test, 1))["nats"]
    assert -np.mean([value for _, value in units]) == pytest.approx(nats, abs=1e-5)
    assert task.log_probabilities(model, "t") == []


def test_tied_weights_are_those_of_the_embedding(folder):
    _, plain, _ = make(folder)
    task, tied, splits = make(folder, tie_embeddings=True)
    assert plain.count_params() - tied.count_params() == 12 * task.spec.size
    tokens = np.asarray(splits.test.inputs["tokens"][:5], np.int32)[None]
    encoder, table = tied.get_layer("encoder"), tied.get_layer("embedding").embeddings
    out, _ = encoder(tied.get_layer("embedding")(tokens), initial_state=encoder.initial_state(1))
    np.testing.assert_allclose(forced(tied)([tokens, np.ones(1, bool)]), out @ keras.ops.transpose(table), atol=1e-5)
    with pytest.raises(
        ConfigError, match=r"embedding of 7 and an encoder output of 12; .* set options\.embedding_dim=12"
    ):
        make(folder, tie_embeddings=True, embedding_dim=7)


@pytest.mark.parametrize(("split", "sizes"), [("own", (0.9, 0.05, 0.05)), ("nanogpt", (0.9, 0.1, 0.1))])
def test_one_text_is_cut_in_order(folder, split, sizes):
    task, _, splits = make(folder, split=split)
    parts = [getattr(splits, name) for name in ("train", "validation", "test")]
    texts = [task.vocabulary.decode([*part.inputs["tokens"], part.targets[-1]]) for part in parts]
    for text, share in zip(texts, sizes, strict=True):
        assert abs(len(text) - share * len(TEXT)) <= 1
    assert "".join(texts[: 3 if split == "own" else 2]) == TEXT
    assert split == "own" or texts[1] == texts[2]


def test_three_files_are_three_splits(folder):
    for number, name in enumerate(("train", "valid", "test")):
        (folder / f"{name}.txt").write_text(TEXT[number:])
    task, _, splits = make(folder)
    assert task.vocabulary.decode(splits.validation.inputs["tokens"]) == TEXT[1:-1]
    (folder / "valid.txt").unlink()
    with pytest.raises(DataError, match=r"has train\.txt, test\.txt but not valid\.txt; give all three"):
        make(folder)


def test_too_little_text_is_refused(folder):
    (folder / "a.txt").write_text("ab cd")
    with pytest.raises(DataError, match="split has fewer than 3 characters; give more text"):
        make(folder)


def test_a_text_shorter_than_a_window_is_scored_and_trained_on(folder):
    task, model, splits = make(folder, bptt=10_000)
    assert np.isfinite(task.score(model, task.batches(splits.train, 2))["nats"])
    batches = task.batches(next_tokens(np.arange(5)), 64, shuffle=True)
    assert len(batches) == 1 and batches[0][2].sum() == 4


def test_arguments_of_predict_other_than_options_are_refused(folder):
    task, model, _ = make(folder)
    with pytest.raises(ConfigError, match="write --prompt TEXT"):
        list(task.predict(model, ["ROMEO"], GenerateOptions()))
    with pytest.raises(ConfigError, match="the prompt '' has no token"):
        list(task.predict(model, [], GenerateOptions(prompt="")))


def test_the_sampler_works_on_a_batch_of_prompts(folder):
    _, model, splits = make(folder)
    logits, states = read(model, np.asarray(splits.test.inputs["tokens"][:8], np.int32).reshape(2, 4))
    sampled = Sampler(LanguageStep(model), 0.8)(logits, states, uniform(6, [0, 1]))
    assert sampled.tokens.shape == (2, 6) and np.all(sampled.scores < 0)


AWD = {"tie_embeddings": True, "variable_bptt": True, "word_dropout": 0.1, "output_dropout": 0.2,
       "activation_penalty": 1.0, "temporal_penalty": 1.0}  # fmt: skip


@pytest.mark.a_third
@pytest.mark.parametrize(
    "options",
    [
        {"bptt_windows": 3},
        {"documents": "lines"},
        {"carry_state": False},
        {"adaptive": (4, 9)},
        {"loss": "window"},
        AWD,
    ],
    ids=lambda options: "-".join(options),
)
def test_every_option_of_training_lowers_the_loss_and_scores_exactly(folder, options):
    task, model, splits = make(folder, bptt=12, **options)
    batches = task.batches(splits.train, 8, shuffle=True)
    before = task.score(model, task.batches(splits.test, 4))["nats"]
    model.compile(keras.optimizers.Adam(0.02), task.loss(), weighted_metrics=task.metrics())
    model.fit(batches, epochs=3, verbose=0)
    after = task.score(model, task.batches(splits.test, 4))["nats"]
    assert after < before - 0.5
    inputs, targets, weights = task.batches(splits.test, 4)[0]
    logits = forced(model).predict_on_batch([inputs["tokens"], inputs["reset"]])
    nll = -np.take_along_axis(log_softmax(logits), targets[..., None], axis=2)[..., 0]
    model.get_layer("encoder").reset_state()
    np.testing.assert_allclose(model.predict_on_batch(inputs) * weights, nll * weights, atol=1e-4)
    assert len("".join(task.predict(model, [], GenerateOptions(prompt="the ", length=20)))) == 24


def test_options_that_exclude_each_other_are_one_message(folder):
    with pytest.raises(
        ConfigError,
        match=r"more than one of options\.bptt_windows > 1, variable_bptt=true, documents and carry_state=false",
    ):
        make(folder, bptt_windows=2, variable_bptt=True)[0].batches(next_tokens(np.arange(500)), 2, shuffle=True)
    with pytest.raises(ConfigError, match=r"options\.tie_embeddings=true with options\.adaptive"):
        make(folder, tie_embeddings=True, adaptive=(3,))


def test_dynamic_scores_are_added_to_the_others(folder):
    task, model, splits = make(folder, dynamic_rate=0.5)
    scores = task.score(model, task.batches(splits.train, 4))
    assert scores["dynamic_nats"] < scores["nats"] and scores["perplexity"] == pytest.approx(math.exp(scores["nats"]))
