"""Weights that a loop carries: inside of its body they are the same numbers, and a quantizer finds them."""

from __future__ import annotations

import numpy as np
import pytest

from seqtasks.deploy.export.onnx_loops import keep_weights_inside

onnx = pytest.importorskip("onnx", reason="the extra export is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra export is not installed")

WEIGHT = np.random.default_rng(0).normal(size=(40, 40)).astype("float32") / 5


def model_with_loop(returned: str) -> onnx.ModelProto:
    """h_t = tanh(h_{t-1} W), three times; `returned` is what the loop gives back for W."""
    h, info, tensor = onnx.helper, onnx.helper.make_tensor_value_info, onnx.TensorProto
    body = h.make_graph(
        [
            h.make_node("MatMul", ["before", "carried"], ["product"]),
            h.make_node("Tanh", ["product"], ["after"]),
            h.make_node("Identity", ["going"], ["goes_on"]),
            h.make_node("Identity", [returned], ["same"]),
        ],
        "body",
        [
            info("step", tensor.INT64, []),
            info("going", tensor.BOOL, []),
            info("before", tensor.FLOAT, [None, 40]),
            info("carried", tensor.FLOAT, [40, 40]),
        ],
        [
            info("goes_on", tensor.BOOL, []),
            info("after", tensor.FLOAT, [None, 40]),
            info("same", tensor.FLOAT, [40, 40]),
        ],
    )
    graph = h.make_graph(
        [h.make_node("Loop", ["steps", "true", "x", "weight"], ["y", "unused"], body=body)],
        "loop",
        [info("x", tensor.FLOAT, [None, 40])],
        [info("y", tensor.FLOAT, [None, 40])],
        [
            onnx.numpy_helper.from_array(np.array(3, np.int64), "steps"),
            onnx.numpy_helper.from_array(np.array(True), "true"),
            onnx.numpy_helper.from_array(WEIGHT, "weight"),
        ],
    )
    return h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=9)


def test_the_numbers_are_the_same():
    x = np.random.default_rng(1).normal(size=(2, 40)).astype("float32")
    expected = x
    for _ in range(3):
        expected = np.tanh(expected @ WEIGHT)
    model = model_with_loop("carried")
    keep_weights_inside(model)
    onnx.checker.check_model(model)
    (loop,) = model.graph.node
    assert [len(loop.input), len(loop.output)] == [3, 1]
    assert {one.name for one in model.graph.initializer} == {"steps", "true"}
    (y,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(y, expected, atol=1e-6)


def test_a_variable_that_changes_stays_outside():
    model = model_with_loop("product")
    before = model.SerializeToString()
    keep_weights_inside(model)
    assert model.SerializeToString() == before
