"""Formats of exported models: what they need, what they refuse, and how a traced graph is written."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from seqtasks.core.errors import ConfigError, SeqtasksError
from seqtasks.core.extras import require
from seqtasks.deploy.export.onnx_loops import keep_weights_inside

OPSET = 18  # of ONNX
QUANTIZE = ("float16", "dynamic")
# What the converters of LiteRT, ONNX and OpenVINO write about an operation that they do not have.
REASON = re.compile(
    r"(?:'tf\.\w+' op is neither|[Oo]ps? .*not supported|Unsupported ops|No conversion rule found for operations)[^\n]*"
)


class ExportError(SeqtasksError, RuntimeError):
    """A graph cannot be written in a format."""

    exit_code = 1


@dataclass(frozen=True)
class Format:
    """A format of exported models.

    Attributes:
        name: Name on the command line.
        suffix: Suffix of a model file; "": a folder.
        runtime: Module that runs the format outside of seqtasks.
        modules: Modules that writing and proving need besides TensorFlow.
        any_length: Whether a model can take sequences of any length.
        quantize: Kinds of quantisation that it has.
    """

    name: str
    suffix: str
    runtime: str
    modules: tuple[str, ...] = ()
    any_length: bool = False
    quantize: tuple[str, ...] = ()


FORMATS = {
    one.name: one
    for one in (
        Format("saved_model", "", "tensorflow", any_length=True),
        Format("onnx", ".onnx", "onnxruntime", ("onnx", "onnxruntime", "tf2onnx"), quantize=QUANTIZE),
        Format("litert", ".tflite", "ai_edge_litert", ("ai_edge_litert",), quantize=QUANTIZE),
        Format("openvino", ".xml", "openvino", ("openvino",), any_length=True, quantize=("float16",)),
    )
}


def check(name: str, quantize: str | None, any_length: bool) -> Format:
    """Checks that a format can be written with some options.

    Args:
        name: Name of the format.
        quantize: Kind of quantisation; None: none.
        any_length: Whether sequences of any length are wanted.

    Raises:
        ConfigError: The format does not have it, or a package is missing.

    Example:
        >>> check("saved_model", None, True).suffix
        ''
        >>> try:
        ...     check("litert", None, True)
        ... except ConfigError as error:
        ...     print(error)
        --any-length with --format litert, whose runtime takes fixed shapes; allowed: saved_model, openvino; choose one of them, or --length
    """  # noqa: E501
    chosen = FORMATS[name]
    if any_length and not chosen.any_length:
        allowed = ", ".join(one.name for one in FORMATS.values() if one.any_length)
        reason = "takes fixed shapes" if name == "litert" else "is given loops of a fixed number of steps"
        raise ConfigError(
            f"--any-length with --format {name}, whose runtime {reason}; allowed: {allowed}; choose one of them, or "
            "--length"
        )
    if quantize is not None and quantize not in chosen.quantize:
        allowed = ", ".join(one.name for one in FORMATS.values() if quantize in one.quantize)
        raise ConfigError(
            f"--quantize {quantize} with --format {name}, which does not have it; allowed: {allowed}; choose one of "
            "them, or leave out --quantize"
        )
    require(chosen.modules, f"--format {name}", "export")
    return chosen


def write(chosen: Format, traced: Any, folder: Path, name: str, quantize: str | None) -> tuple[str, dict[str, int]]:
    """Writes a traced graph.

    Args:
        chosen: The format.
        traced: `TracedGraph` of `tracing`.
        folder: Folder to write to.
        name: Name of the graph.
        quantize: Kind of quantisation; None: none.

    Returns:
        Name of the file or folder, and the number of each operation in it.

    Raises:
        ExportError: The converter does not translate the graph.
    """
    target = folder / f"{name}{chosen.suffix}"
    try:
        with _quiet():
            operations = _WRITERS[chosen.name](traced, target, quantize)
    except (MemoryError, OSError):
        raise
    except Exception as error:  # the converters raise errors of many types
        lines = str(error).strip().splitlines() or [type(error).__name__]
        named = REASON.search(str(error))
        reason = (named[0] if named else lines[0]).strip()[:200]
        others = ", ".join(one for one in FORMATS if one != chosen.name)
        raise ExportError(
            f"{name} cannot be written as {chosen.name}: {reason}; allowed: another format; try --format {others}"
        ) from error
    return target.name, dict(sorted(operations.items()))


def _saved_model(traced: Any, target: Path, quantize: str | None) -> Mapping[str, int]:
    traced.save(target)
    return Counter(operation.type for operation in traced.function.graph.get_operations())


def _litert(traced: Any, target: Path, quantize: str | None) -> Mapping[str, int]:
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    with TemporaryDirectory() as folder:
        traced.save(Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        # Without this set the converter adds SELECT_TF_OPS, which the plain runtime does not have (tensorflow#58668).
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantize is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        target.write_bytes(converter.convert())
    interpreter = Interpreter(str(target))
    names = [details["op_name"] for details in interpreter._get_ops_details()]
    return Counter(name for name in names if name != "DELEGATE")


def _onnx(traced: Any, target: Path, quantize: str | None) -> Mapping[str, int]:
    import onnx
    import tf2onnx

    # tf2onnx 1.17 still uses names that NumPy 2 does not have.
    from keras.src.export.tf2onnx_lib import patch_tf2onnx

    patch_tf2onnx()
    model, _ = tf2onnx.convert.from_function(
        traced.function_of_signature, traced.signature, opset=OPSET, custom_op_handlers={"Expm1": (_expm1, [])}
    )
    # tf2onnx takes tensors that a function captures, such as the means of a Normalization layer, for inputs.
    captured = traced.captured
    for value in [one for one in model.graph.input if one.name in captured]:
        model.graph.input.remove(value)
        model.graph.initializer.append(onnx.numpy_helper.from_array(captured[value.name], value.name))
    if quantize == "float16":
        from onnxruntime.transformers.float16 import convert_float_to_float16

        # Inputs, outputs and states stay float32, so that use.py is the same.
        model = convert_float_to_float16(model, keep_io_types=True)
    elif quantize == "dynamic":
        keep_weights_inside(model)
    onnx.save(model, target)
    if quantize == "dynamic":
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(target, target, weight_type=QuantType.QInt8, extra_options={"EnableSubgraph": True})
    return Counter(_nodes(onnx.load(target).graph))


def _expm1(context: Any, node: Any, _name: str, _arguments: Any) -> None:
    """Writes e^x - 1, which ONNX does not have, as tanh(x / 2) (e^x + 1), which is exact for small x, too."""
    from tf2onnx.utils import map_onnx_to_numpy_type

    (x,), (output,) = node.input, node.output
    number, shape = context.get_dtype(output), context.get_shape(output)
    kind = map_onnx_to_numpy_type(number)

    def constant(value: float) -> str:
        return str(context.make_const(f"{node.name}_{value}", np.array(value, kind)).output[0])

    def made(operation: str, *inputs: str) -> str:
        return str(context.make_node(operation, list(inputs)).output[0])

    tanh, exp = made("Tanh", made("Mul", x, constant(0.5))), made("Add", made("Exp", x), constant(1.0))
    context.remove_node(node.name)
    context.make_node("Mul", [tanh, exp], name=node.name, outputs=[output], dtypes=[number], shapes=[shape])


def _nodes(graph: Any) -> Iterator[str]:
    """Types of the nodes of an ONNX graph and of the bodies of its loops."""
    for node in graph.node:
        yield node.op_type
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _openvino(traced: Any, target: Path, quantize: str | None) -> Mapping[str, int]:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # else it reports to its makers
    import openvino

    with TemporaryDirectory() as folder:
        traced.save(Path(folder), fold=True)  # OpenVINO has no MatrixSolve, for example
        model = openvino.convert_model(folder)
        openvino.save_model(model, target, compress_to_fp16=quantize == "float16")
    return Counter(node.get_type_name() for node in model.get_ops())


_WRITERS: dict[str, Callable[[Any, Path, str | None], Mapping[str, int]]] = {
    "saved_model": _saved_model,
    "onnx": _onnx,
    "litert": _litert,
    "openvino": _openvino,
}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Context without the notes of the converters, some of which are written in C++ to standard error."""
    levels = {name: logging.getLogger(name).level for name in ("tf2onnx", "tensorflow", "root")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a descriptor is needed
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
