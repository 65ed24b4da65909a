"""The file `use.py` of an export, which needs NumPy and the runtime only."""

from __future__ import annotations

from typing import Literal

Kind = Literal["whole", "steps", "text", "sequences"]

_HEAD = '''"""Runs the exported model of task {task} with NumPy and {package} only: python use.py {arguments}."""
import json
import sys
from pathlib import Path
import numpy as np
{imports}
HERE = Path(__file__).parent
MANIFEST = json.loads((HERE / "manifest.json").read_text("utf-8"))

class Graph:
    """A model file: arrays by name in, arrays by name out. It keeps its states between the calls."""
    def __init__(self, name):
        self.facts, self.states = MANIFEST["graphs"][name], {{}}
        path = str(HERE / self.facts["file"])
{load}
        self.reset()
    def reset(self, known=None):
        for s in self.facts["states"]:
            start = np.full(s["shape"], s["initial"], s["dtype"]) if known is None else known[s["input"]]
            self.states[s["input"]] = start
    def __call__(self, inputs):
        inputs = {{**{{name: inputs[name] for name in self.facts["inputs"]}}, **self.states}}
        made = {call}
        self.states = {{s["input"]: made[s["output"]] for s in self.facts["states"]}}
        return made
'''

# For each format: package, imports, loading, and the call. OpenVINO may compute in bfloat16 unless it is told not to.
_RUNTIMES = {
    "saved_model": (
        "tensorflow",
        "import tensorflow as tf",
        """        self.model = tf.saved_model.load(path)
        self.run = self.model.signatures["serving_default"]""",
        "{k: v.numpy() for k, v in self.run(**{k: tf.constant(v) for k, v in inputs.items()}).items()}",
    ),
    "onnx": (
        "onnxruntime",
        "import onnxruntime",
        """        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])""",
        "dict(zip([output.name for output in self.session.get_outputs()], self.session.run(None, inputs)))",
    ),
    "litert": (
        "ai-edge-litert",
        "from ai_edge_litert.interpreter import Interpreter",
        """        self.run = Interpreter(path, num_threads=1).get_signature_runner()""",
        "self.run(**inputs)",
    ),
    "openvino": (
        "openvino",
        "import openvino",
        """        exact = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self.run = openvino.Core().compile_model(path, "CPU", exact).create_infer_request()""",
        "{k.get_any_name(): v.copy() for k, v in self.run.infer(inputs).items()}",
    ),
}

_WHOLE = """
if __name__ == "__main__":
    example = dict(np.load(sys.argv[1] if sys.argv[1:] else HERE / "example.npz"))
    print(Graph("model")(example)["{output}"])
"""

_STEPS = """
if __name__ == "__main__":
    example, graph = dict(np.load(sys.argv[1] if sys.argv[1:] else HERE / "example.npz")), Graph("step")
    for t in range(example[MANIFEST["step_inputs"][0]].shape[1]):
        step = {{k: v[:, t : t + 1] if k in MANIFEST["step_inputs"] else v for k, v in example.items()}}
        print(t, graph(step)["{output}"].ravel())
"""

_TEXT = """
if __name__ == "__main__":
    graph, rng, tokens, between = Graph("step"), np.random.default_rng(0), MANIFEST["tokens"], MANIFEST["separator"]
    prompt = sys.argv[1] if sys.argv[1:] else MANIFEST["prompt"]
    numbers = [tokens.index(t) if t in tokens else 0 for t in (prompt.split(between) if between else prompt)]
    for i in range(len(numbers) + 199):
        logits = graph({{"tokens": np.array([[numbers[i]]], "int32")}})["{output}"].ravel()
        logits[MANIFEST["never"]] = -np.inf
        if i + 1 == len(numbers):
            numbers.append(int(np.argmax(logits + rng.gumbel(size=logits.shape))))
    print(between.join(tokens[n] for n in numbers))
"""

_SEQUENCES = '''
def generate(encoder, decoder, inputs, most=100):
    """Token numbers by greedy search, without the end."""
    known, made, end = {{**inputs, **encoder(inputs)}}, [], MANIFEST["end"]
    decoder.reset(known)
    while len(made) < most and made[-1:] != [end]:
        known["token"] = np.array([made[-1:] or [end]], "int32")
        made.append(int(decoder(known)["{output}"][0, 1:].argmax()) + 1)  # 0 is padding
    return made[:-1] if made[-1] == end else made
if __name__ == "__main__":
    example = dict(np.load(sys.argv[1] if sys.argv[1:] else HERE / "example.npz"))
    numbers = generate(Graph("encoder"), Graph("decoder"), example)
    print(MANIFEST["separator"].join(MANIFEST["tokens"][n] for n in numbers))
'''

_BODIES = {"whole": _WHOLE, "steps": _STEPS, "text": _TEXT, "sequences": _SEQUENCES}


def use_file(task: str, form: str, kind: Kind, output: str) -> str:
    """The text of `use.py`.

    Args:
        task: Name of the task.
        form: Name of the format.
        kind: "whole": arrays of a whole sequence; "steps": arrays of a sequence, step by step; "text": a language
            model that continues a text; "sequences": encoder and decoder.
        output: Name of the output.

    Example:
        >>> text = use_file("char_lm", "onnx", "text", "logits")
        >>> "import onnxruntime" in text, "seqtasks" in text
        (True, False)
    """
    package, imports, load, call = _RUNTIMES[form]
    arguments = "[TEXT]" if kind == "text" else "[INPUTS.npz]"
    head = _HEAD.format(task=task, arguments=arguments, package=package, imports=imports, load=load, call=call)
    return head + _BODIES[kind].format(output=output)
