"""The graphs of export plans in Keras, step by step or padded, against the model that they come from."""

import keras
import numpy as np
import pytest

from seqtasks.core.config import EncoderConfig
from seqtasks.core.errors import ConfigError
from seqtasks.core.plugins import load_task
from seqtasks.data.splits import Examples
from seqtasks.decoding.seq2seq import Seq2SeqParts
from seqtasks.layers import Encoder
from seqtasks.layers.recording import portable
from seqtasks.task_types import LanguageSpec
from seqtasks.task_types.common.export_plan import Case, ExportPlan
from seqtasks.task_types.language_modeling.export_plan import LanguagePlan
from seqtasks.task_types.seq2seq.export_plan import Seq2SeqPlan
from seqtasks.task_types.translation.model import translation_model


def run_steps(graph, inputs, names, known=None):
    """The outputs of a step graph for a sequence."""
    states = {s.input: known[s.input] if s.initial is None else s.initial for s in graph.states}
    output, made = None, []
    for t in range(inputs[names[0]].shape[1]):
        with portable():
            outputs = graph.function({k: v[:, t : t + 1] if k in names else v for k, v in inputs.items()} | states)
        states = {s.input: outputs.pop(s.output) for s in graph.states}
        (output,) = outputs.values()
        made.append(np.asarray(output))
    return made


@pytest.mark.parametrize("name", ["adding", "copy_memory", "mnist_rows"])
def test_steps_give_the_outputs_of_the_whole(name):
    cls = load_task(name)
    task = cls() if name == "mnist_rows" else cls(cls.Options(length=4))
    rng = np.random.default_rng(0)
    if name == "mnist_rows":
        task.spec = {"classes": list("0123456789"), "shape": [8, 6]}
    model = task.build_model(Encoder(cell="gru", units=4, layers=2, skip="residual", layer_norm=True))
    plan = task.export_plan(model)
    shape, dtype = model.inputs[0].shape[1:], model.inputs[0].dtype
    x = rng.integers(0, 9, size=(1, *shape)).astype(dtype)
    (graph,) = plan.graphs("step")
    made = run_steps(graph, {model.inputs[0].name: x}, plan.step_names)
    expected = model.predict(x, verbose=0)
    together = np.concatenate(made, axis=1) if expected.ndim == 3 else made[-1]
    np.testing.assert_allclose(together, expected, atol=1e-5)


def test_a_bidirectional_model_has_no_step():
    task = load_task("adding")()
    plan = task.export_plan(task.build_model(Encoder(cell="gru", units=4, bidirectional=True)))
    assert plan.shapes == ("length",)
    with pytest.raises(ConfigError, match=r"--step: the model of task adding does not read .*; allowed: --length"):
        plan.graphs("step")


def test_the_mask_clears_tokens():
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(9, 3)(tokens)
    last, _ = Encoder(cell="gru", units=4)(x, mask=keras.ops.not_equal(tokens, 0), return_sequences=False)
    task = load_task("adding")()
    plan = ExportPlan(task, keras.Model(tokens, last), tokens="tokens")
    (graph,) = plan.graphs("length", 6)
    assert {port.name: port.shape for port in graph.inputs} == {"tokens": (1, 6), "mask": (1, 6)}
    row, mask = np.array([[3, 5, 7, 8, 8, 8]], "int32"), np.array([[1, 1, 1, 0, 0, 0]], bool)
    made = graph.function({"tokens": keras.ops.convert_to_tensor(row), "mask": keras.ops.convert_to_tensor(mask)})
    np.testing.assert_allclose(made["outputs"], plan.model.predict(row[:, :3], verbose=0), atol=1e-6)


@pytest.mark.parametrize("skip", ["none", "residual"])  # the first layer is projected once for each token, or not
def test_steps_of_a_language_model(skip):
    task = load_task("char_lm")(spec=LanguageSpec(vocabulary="", size=12, tokens={}))
    encoder = Encoder(EncoderConfig(cell="lstm", units=8, layers=2, skip=skip), stateful=True, name="encoder")
    plan = LanguagePlan(task, task.build_model(encoder))
    text = np.random.default_rng(0).integers(0, 12, size=31)
    cases = plan.cases(Examples({"tokens": text[:-1]}, text[1:]))
    (graph,) = plan.graphs("step")
    made = run_steps(graph, dict(cases.rows[0].inputs), ["tokens"])
    np.testing.assert_allclose(np.concatenate(made), cases.rows[0].expected[0], atol=1e-5)
    assert cases.rescore([case.expected for case in cases.rows]) == cases.scores


@pytest.mark.parametrize(("attention", "feeding"), [("additive", False), ("multiplicative", True), ("none", False)])
def test_encoder_and_decoder_of_translation(attention, feeding):
    task = load_task("translation")
    options = task.Options(embedding_dim=6, attention=attention, input_feeding=feeding)
    encoder = Encoder(cell="gru", units=5, bidirectional=True)
    model = translation_model(encoder, [9, 7], False, options, "tiny")
    plan = Seq2SeqPlan(task(options), model, "source")
    source, previous = np.array([[3, 4, 5]], "int32"), np.array([[1, 3, 2, 5]], "int32")
    expected = plan._expected({"source": source, "previous": previous})
    reader, decoder = plan.graphs("length", 5)
    padded = {"source": np.pad(source, ((0, 0), (0, 2))), "mask": np.arange(5)[None] < 3}
    known = reader.function({name: keras.ops.convert_to_tensor(array) for name, array in padded.items()})
    inputs = {k: v for k, v in {**padded, **known}.items() if k in {port.name for port in decoder.inputs}}
    made = run_steps(decoder, {"token": previous, **inputs}, ["token"], known)
    np.testing.assert_allclose(np.concatenate(made), expected[0], atol=1e-5)
    assert Seq2SeqParts.of(model).decoder.feeding == feeding


def test_answers():
    task = load_task("adding")()
    plan = ExportPlan(task, task.build_model(Encoder(cell="gru", units=2)), classes=2)
    assert plan.answers(np.array([[0.1, 0.9, 5.0]])).tolist() == [1]  # only the first numbers are logits
    assert plan.steps(Case({"steps": np.zeros((1, 7, 2))}, np.zeros(1))) == 7
