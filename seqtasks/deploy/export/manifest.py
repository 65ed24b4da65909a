"""The manifest of an export: shapes, states, labels, vocabulary, facts about the data, licence, versions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqtasks.core import environment
from seqtasks.data.text.vocabulary import END, Vocabulary
from seqtasks.experiments.results import Row
from seqtasks.task_types.base import Task
from seqtasks.task_types.common.export_plan import Graph

FORMAT = 1  # of the manifest
VOCABULARIES = ("vocabulary", "vocabularies")  # names of facts that become files of their own


def graph_facts(graph: Graph, outputs: Mapping[str, Any], file: str, operations: Mapping[str, int]) -> dict[str, Any]:
    """Facts about one graph.

    Args:
        graph: The graph.
        outputs: Shape and type of each output.
        file: Name of its file.
        operations: Number of each operation in it.
    """
    states = []
    for state, port in zip(graph.states, graph.state_inputs, strict=True):
        initial: Any = None if state.initial is None else np.asarray(state.initial)
        if initial is not None:
            initial = float(initial.flat[0]) if (initial == initial.flat[0]).all() else initial.tolist()
        shape = {"shape": list(port.shape), "dtype": port.dtype}
        states.append({"input": state.input, "output": state.output, **shape, "initial": initial})
    return {
        "file": file,
        "inputs": {port.name: {"shape": list(port.shape), "dtype": port.dtype} for port in graph.inputs},
        "states": states,
        "outputs": {
            name: {"shape": list(spec.shape), "dtype": spec.dtype.name} for name, spec in sorted(outputs.items())
        },
        "operations": dict(operations),
    }


def text_facts(task: Task) -> tuple[dict[str, Any], dict[str, str]]:
    """Facts about the vocabularies of a task, and the files of its tokenizers, in the format of `tokenizers`.

    Args:
        task: The task with the facts of the data.

    Returns:
        `tokens`, `separator`, `prompt` and `end` for `use.py`, and the text of each file by its name.
    """
    values = task.spec.to_dict()
    stored = [values[name] for name in VOCABULARIES if values.get(name)]
    if not stored or not all(isinstance(text, str | list | tuple) for text in stored):
        return {}, {}
    texts = [stored[0]] if isinstance(stored[0], str) else list(stored[0])
    names = ["tokenizer.json"] if len(texts) == 1 else ["tokenizer_source.json", "tokenizer_target.json"]
    files = dict(zip(names, texts, strict=True))
    vocabulary = Vocabulary(texts[-1])
    between = " " if vocabulary.kind == "words" else ""
    tokens = [vocabulary.token(n) for n in range(len(vocabulary))]
    shown = ["\n" if token == END else token for token in tokens]
    never = [0] if vocabulary.kind == "characters" else []  # <unk> has no character
    facts = {
        "never": never,
        "tokens": shown,
        "separator": between,
        "prompt": shown[int(len(shown) > 2)] if between else "\n",
    }
    return facts, files


def manifest(
    task: Task, row: Row, graphs: Mapping[str, Any], export: Mapping[str, Any], licence: str, fingerprint: str
) -> dict[str, Any]:
    """The manifest without the proof.

    Args:
        task: The task with the facts of the data.
        row: Result row of the run.
        graphs: Facts about each graph by name.
        export: Format and shape of the export, and what `use.py` needs.
        licence: Licence of the data.
        fingerprint: SHA-256 of the trained model.
    """
    facts = {name: value for name, value in task.spec.to_dict().items() if name not in VOCABULARIES}
    return {
        "manifest": FORMAT,
        "task": row.task,
        "run": row.run,
        "cell": row.cell,
        **export,
        "graphs": dict(graphs),
        "labels": task.classes,
        "data": {"source": row.source, "fingerprint": row.fingerprint, "licence": licence, "facts": facts},
        "model_sha256": fingerprint,
        "versions": environment.versions(),
    }


def to_json(values: Mapping[str, Any]) -> str:
    """A manifest as text."""
    return json.dumps(values, indent=1, ensure_ascii=False, default=_plain) + "\n"


def licence_of(source: str, stated: str | None) -> str:
    """Licence of the data: as stated, or that of the data set in tensorflow-datasets, or "not stated".

    Args:
        source: Data source of the run, such as "tfds:mnist".
        stated: Licence that the user stated; None: none.

    Example:
        >>> licence_of("builtin:digits", None), licence_of("tfds:mnist", "CC BY-SA 3.0")
        ('not stated', 'CC BY-SA 3.0')
    """
    if stated is not None or not source.startswith("tfds:"):
        return stated or "not stated"
    import tensorflow_datasets

    try:
        builder = tensorflow_datasets.builder(source.removeprefix("tfds:"))
        return builder.info.redistribution_info.license or "not stated"
    except Exception:  # its data sets raise errors of many types where files or packages are missing
        return "not stated"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Sequence):
        return list(value)
    return str(value)
