"""`seqtasks schema`: prints or writes the JSON Schema of a task's configuration files."""

from __future__ import annotations

import sys

from seqtasks.core import keras_import, plugins, schema
from seqtasks.core.config_files import MODELINE
from seqtasks.core.files import check_output, shown, write_output


def main(task: str | None, out: str | None) -> None:
    """Prints or writes the schema of a task.

    Args:
        task: Name or file of a task; None: settings of every task.
        out: File to write to; None: standard output.

    Raises:
        UnknownNameError: There is no such task.
        ConfigError: The file cannot be written.
        PluginError: The task cannot be imported.
    """
    path = None if out is None else check_output(out, "--out")
    text = text_of(task)
    if path is None:
        print(text, end="")
        return
    write_output(path, lambda file: file.write_text(text, encoding="utf-8"))
    print(f"wrote {shown(path)}; first line of YAML files beside it: {MODELINE}{path.name}", file=sys.stderr)


def text_of(task: str | None) -> str:
    """The schema of a task's configuration files, as JSON.

    Args:
        task: As for `main`; None does not import Keras.
    """
    if task is None:
        return schema.to_text(schema.schema())
    plugins.check_task(task)
    keras_import.import_keras()
    cls = plugins.load_task(task)
    return schema.to_text(schema.schema(cls.name, cls.Options, cls.PredictOptions))
