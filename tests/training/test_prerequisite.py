"""Tasks that start from another run, under the former names of the two methods; the present ones: test_pretraining."""

import pytest

from seqtasks.core.config import resolve
from seqtasks.core.plugins import load_task
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder
from seqtasks.training import prerequisite, train

QUIET = Reporter(quiet=True)
SMALL = ["data.source=builtin", "data.limit=200", "encoder.units=4", "train.epochs=1"]


def test_a_task_with_the_former_methods(tmp_path):
    mnist = load_task("mnist_rows")
    config = resolve("mnist_rows", mnist.Options, SMALL)
    seen = []

    with pytest.warns(DeprecationWarning) as warnings:

        class Continued(mnist):
            def before(self, config, folder, reporter):
                row, _ = train.run(resolve("mnist_rows", mnist.Options, [*SMALL, "seed=5"]), mnist, tmp_path, reporter)
                return run_folder.open_run(tmp_path / row.run)

            def initialise(self, model, before):
                seen.append((before.path.name, before.facts["task"], before.finished))

    messages = [str(warning.message) for warning in warnings]
    assert any("Continued.before is now pretraining_config" in message for message in messages)
    assert any("Continued.initialise is now init_weights" in message for message in messages)
    row, _ = train.run(config, Continued, tmp_path, QUIET)
    assert len(seen) == 1 and seen[0][0] != row.run and seen[0][1:] == ("mnist_rows", True)


def test_notes_on_the_pretrained_run_are_printed_when_it_is_trained(tmp_path, capsys):
    mnist = load_task("mnist_rows")
    config = resolve("mnist_rows", mnist.Options, [*SMALL, "seed=6"])
    task = mnist(config.options)
    task.pretraining_config = lambda _: config
    folder = run_folder.Run(tmp_path / "another", {})
    for count in (1, 0):  # the second time it is found
        actual = prerequisite.find_or_train(task, config, folder, Reporter(), train.run)
        assert actual is not None and actual.finished
        assert capsys.readouterr().err.count("pretraining: trained for ") == count
