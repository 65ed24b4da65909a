"""The command line: what it prints, where, its exit codes, and one clear line for every wrong input."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ("data.source=builtin", "train.epochs=1", "data.limit=60", "encoder.units=4", "options.augment=false")


def errors(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("seqtasks: ")]


LIGHT = ["--help", "list", "list cells", "list configs", "run --help", "--version", "doctor", "show cell mgu"]
LIGHT += ["show mnist_rows", "show sentiment --no-load"]


@pytest.mark.parametrize("words", LIGHT)
def test_answers_without_importing_keras(words: str) -> None:
    code = (
        "import sys; sys.argv = ['seqtasks', *sys.argv[1:]]\n"
        "from seqtasks.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "heavy = {'keras', 'tensorflow', 'pandas', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code, *words.split()], check=True, capture_output=True)


def test_the_list_takes_well_under_a_second() -> None:
    times = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-m", "seqtasks", "list"], check=True, capture_output=True)
        after = os.times()  # of processors, which others on the machine do not use up
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(times) < 0.9, times  # 0.3 to 0.6 on an idle machine, where it is the time that passes


def test_the_command_line_imports_nothing_slow() -> None:
    code = "import sys, seqtasks.cli.main; print({'keras', 'tensorflow', 'pandas', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no_such"], "seqtasks: no such command 'no_such'; see `seqtasks --help`"),
        (["run"], "seqtasks: missing argument 'task'; see `seqtasks run --help`"),
        (["run", "mnist_rows", "--no-such"], "seqtasks: no such option: --no-such; see `seqtasks run --help`"),
        (
            ["list", "no_such"],
            "'no_such' is not one of 'all', 'tasks', 'cells', 'runs', 'configs', 'trackers'; see",
        ),
    ],
)
def test_wrong_usage_is_one_line(cli, words, message) -> None:
    code, out, err = cli(*words)
    assert (code, out) == (2, "") and len(err.splitlines()) == 1
    assert message.lower() in err.lower()


def test_no_command_prints_the_help(cli) -> None:
    _, out, err = cli()
    assert "Start with: seqtasks run mnist_rows" in out + err


WRONG = [
    ["data.source=web"],
    ["data.source=files:nowhere"],
    ["data.source=tfds:imdb"],
    ["encoder.cell=./nowhere.py"],
    ["options.pixel=true"],
    ["options.pixels=many"],
    ["encoder.options.forget=1"],
    ["--config", "options.yaml"],
    ["sentiment", "data.source=files:t.csv", "options.text_column=body"],
    ["series", "data.source=files:t.csv", "options.id=patient"],
]


def test_wrong_words_are_refused_before_keras_is_imported(tmp_path: Path) -> None:
    (tmp_path / "options.yaml").write_text("options: {pixel: true}\n", encoding="utf-8")
    (tmp_path / "t.csv").write_text("text,label\na,b\n", encoding="utf-8")
    code = (
        "import json, sys, time\n"
        "from seqtasks.cli import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    sys.argv = ['seqtasks', 'run', *(['mnist_rows'] if words[0][0] in 'deo-' else []), *words]\n"
        "    begin = time.process_time()\n"
        "    try: main.main()\n"
        "    except SystemExit as stop: assert stop.code == 2, words\n"
        "    assert time.process_time() - begin < 1, words\n"
        "    assert not {'keras', 'tensorflow'} & set(sys.modules), words\n"
    )
    command = [sys.executable, "-c", code, json.dumps(WRONG)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(errors(done.stderr)) == len(WRONG)


@pytest.mark.parametrize(
    "command", ["run", "resume", "compare", "table", "evaluate", "predict", "show", "new", "schema"]
)
def test_every_help_has_an_example(cli, command: str) -> None:
    code, out, _ = cli(command, "--help")
    assert code == 0
    assert "Example" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "mnist_row"], "unknown task 'mnist_row'; did you mean mnist_rows?"),
        (["run", "mnist_rows", "encoder.cell=gruu"], "unknown cell 'gruu'; did you mean gru?"),
        (["run", "mnist_rows", "encoder.cel=gru"], "unknown setting encoder.cel; did you mean encoder.cell?"),
        (["run", "mnist_rows", "encoder.units=-3"], "encoder.units is -3; allowed: ≥ 1"),
        (["run", "mnist_rows", "encoder.units=many"], "encoder.units is 'many'; allowed: integer"),
        (["run", "mnist_rows", "train.optimizer=adm"], "did you mean adam?"),
        (["run", "mnist_rows", "encoder"], "'encoder' is not a setting; allowed: key=value"),
        (["run", "mnist_rows", "options.pixel=true"], "unknown setting options.pixel; did you mean options.pixels?"),
        (["run", "mnist_rows", "data.source=files:nowhere"], "nowhere"),
        (["run", "mnist_rows", "data.source=web"], "data.source"),
        (
            ["run", "mnist_rows", "data.source=files:"],
            "data.source=files: names no folder; allowed: files:DIR, a folder with the data; add its path",
        ),
        (["run", "sentiment", "data.source=files:"], "allowed: files:PATH, a file or folder with the data; add"),
        (["run", "mnist_rows", "data.source=files: x"], "data.source=files: x: "),
        (["run", "mnist_rows", "train.optimizer=adam:"], "train.optimizer is 'adam:'; did you mean adam?"),
        (["run", "mnist_rows", "--config", "nothing.yaml"], "there is no configuration file nothing.yaml"),
        (["run", "./nothing.py"], "there is no task file nothing.py"),
        (["run", "mnist_rows", "encoder.options.forget=1", "data.source=builtin"], "cell lstm has no option 'forget'"),
        (["resume", "runs/none"], "there is no run 'runs/none'"),
        (["evaluate", "none"], "there is no run 'none'"),
        (["predict", "none", "a.png"], "there is no run 'none'"),
        (["table"], "no finished run"),
        (["table", "mnist_rows"], "no finished run of mnist_rows"),
        (["compare", "mnist_rows", "seed=0,0"], "seed has the value 0 twice"),
        (["compare", "mnist_rows", "encoder.cell=gru,lsm"], "unknown cell 'lsm'; did you mean lstm?"),
        (["new", "My-Task"], "cannot name a task"),
        (["new", "mnist_rows"], "the task mnist_rows exists already"),
        (["show", "mnist_row"], "did you mean mnist_rows?"),
    ],
)
def test_wrong_input_is_one_line_and_exit_2(cli, tmp_path: Path, words: list[str], says: str) -> None:
    code, out, err = cli(*words)
    assert code == 2
    assert len(errors(err)) == 1, err
    assert says in errors(err)[0]
    assert not out
    assert not [p for p in tmp_path.rglob("*") if p.name in ("result.json", "model.keras", "run.json")]


def test_unknown_commands_and_options_exit_2(cli) -> None:
    assert cli("rum")[0] == 2
    assert cli("run", "mnist_rows", "--forse")[0] == 2


def test_unreadable_yaml_is_named(cli, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("train: [1,\n", encoding="utf-8")
    code, _, err = cli("run", "mnist_rows", "--config", "bad.yaml")
    assert code == 2
    assert "bad.yaml is not valid YAML" in err


def test_settings_that_no_name_can_have(cli, tmp_path: Path) -> None:
    # libyaml refuses half a surrogate pair by itself; PyYAML without it leaves that to the check of settings.
    refused = ("data.tfds_dir is", "text in UTF-8 without NUL")
    by_libyaml = ("bad.yaml is not valid YAML", "invalid Unicode character")
    for text, messages in ((r"a\0b", [refused]), (r"caf\uDCE9", [refused, by_libyaml])):
        (tmp_path / "bad.yaml").write_text(f'data: {{tfds_dir: "{text}"}}\n', encoding="utf-8")
        code, _, err = cli("run", "mnist_rows", "--config", "bad.yaml")
        assert code == 2 and len(errors(err)) == 1
        assert any(all(part in err for part in message) for message in messages)


def test_an_empty_data_folder_is_named(cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = cli("run", "mnist_rows", f"data.source=files:{tmp_path / 'empty'}")
    assert code == 2
    assert len(errors(err)) == 1
    assert "empty" in err


def test_a_runs_folder_that_cannot_be_written_is_one_line(cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, _, err = cli("run", "mnist_rows", *SMALL, "--runs", tmp_path / "file" / "runs")
    assert code == 2
    assert len(errors(err)) == 1
    assert "choose another folder with --runs" in err


def test_debug_shows_the_traceback(cli) -> None:
    code, _, err = cli("run", "mnist_row", "--debug")
    assert code == 2
    assert "Traceback" in err
    assert "UnknownNameError" in err


def test_dry_run_prints_configuration_and_model_and_trains_nothing(cli, tmp_path: Path) -> None:
    code, out, _ = cli("run", "mnist_rows", *SMALL, "encoder.cell=gru", "--dry-run")
    assert code == 0
    assert "cell: gru" in out
    assert "source: builtin" in out
    assert "Total params" in out
    assert not (tmp_path / "runs").exists()


def test_run_table_evaluate_predict(cli, tmp_path: Path) -> None:
    code, out, err = cli("run", "mnist_rows", *SMALL, "--json")
    assert code == 0, err
    row = json.loads(out.splitlines()[-1])
    keys = (
        "task version source fingerprint metric higher_is_better value scores seed cell engine encoder_params params "
        "seconds seconds_per_epoch versions commit run"
    )
    assert set(keys.split()) <= set(row)
    assert row["scores"]["accuracy"] == row["value"]
    assert "epoch 1/1" in err

    code, out, err = cli("run", "mnist_rows", *SMALL, "--json", "--quiet")
    assert json.loads(out)["skipped"] is True
    assert not err

    code, out, _ = cli("table", "--format", "markdown")
    assert code == 0
    assert "| lstm |" in out

    code, out, _ = cli("evaluate", row["run"], "--quiet")
    assert code == 0
    assert "accuracy" in out

    code, out, _ = cli("list", "runs")
    assert row["run"] in out
    assert "finished" in out

    from PIL import Image

    Image.new("L", (8, 8), 40).save(tmp_path / "grey.png")
    code, out, _ = cli("predict", row["run"], "grey.png", "--invert", "no", "--format", "json")
    answer = json.loads(out)
    assert abs(sum(v for k, v in answer.items() if k.startswith("P(")) - 1) < 1e-3
    (tmp_path / "notes.png").write_text("no image", encoding="utf-8")
    for words in (["nowhere.png"], ["notes.png"], ["grey.png", "--invert", "maybe"], ["grey.png", "--invert"], []):
        code, _, err = cli("predict", row["run"], *words)
        assert code == 2
        assert len(errors(err)) == 1

    (tmp_path / "runs" / row["run"] / "run.json").write_text('{"format": 99, "seqtasks": "9.0"}', encoding="utf-8")
    for command in ("evaluate", "resume", "predict"):
        code, _, err = cli(command, row["run"])
        assert code == 2
        assert "written by seqtasks 9.0" in err


@pytest.mark.pictures
def test_notes_on_a_result_are_printed_once(cli) -> None:
    note = "fewer than the 4,000 of train.min_updates"
    for words in ([], ["--quiet"]):  # trained, and finished before
        code, out, err = cli("run", "mnist_rows", *SMALL, *words)
        assert code == 0 and out.count(note) == 1 and note not in err, err
        plots = re.search(r"^plots: (\d+) pictures? in (runs.*plots)$", out, re.M)
        assert plots is not None and len(list(Path(plots[2]).glob("*.png"))) == int(plots[1]) > 0
        assert "try more epochs" not in out
    for words, count in ((["--force"], 1), ([], 0)):  # of a child of `compare`
        code, out, err = cli("run", "mnist_rows", *SMALL, "--json", *words)
        assert code == 0 and err.count(note) == count
        assert note in json.loads(out)["notes"][0]
    code, out, _ = cli("table", "mnist_rows")
    assert code == 0 and out.count("† trained for fewer weight updates than train.min_updates (") == 1


def test_show_describes_settings_and_data(cli) -> None:
    code, out, _ = cli("show", "mnist_rows", "data.limit=77", "data.source=builtin")
    assert code == 0
    assert "options.augment" in out
    assert "train: 62 images" in out
    assert "--invert" in out and "inputs of seqtasks predict: paths of files" in out


def test_show_remembers_the_data_and_loads_it_where_that_is_asked(cli, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("seqtasks.training.known_runs.network", lambda: False)
    _, before, _ = cli("show", "adding")
    assert "data: not loaded yet; --load reads it" in before and "loaded data" not in before
    _, loaded, _ = cli("show", "adding", "--load")
    assert "loaded data" in loaded and "train.epochs" in loaded and "not loaded yet" not in loaded
    monkeypatch.setattr("seqtasks.training.requests.prepare", None)  # Keras is not needed
    assert cli("show", "adding")[1] == loaded
    assert cli("show", "adding", "--no-load")[1] == before[: before.index("\ndata: not loaded")]


def test_show_takes_settings(cli) -> None:
    code, out, _ = cli("show", "translation", "data.source=builtin", "encoder.units=77")
    assert code == 0
    assert "77" in out and "padding in training" in out
    code, _, err = cli("show", "translation", "encoder.unit=77")
    assert code == 2 and "encoder.units" in err


def test_compare_runs_a_grid_with_baselines_and_skips_what_is_done(cli, tmp_path: Path) -> None:
    words = ["compare", "mnist_rows", "encoder.cell=simple_rnn,gru", *SMALL, "--format", "csv"]
    code, out, err = cli(*words)
    assert code == 0, err
    assert [line.split(",")[7] for line in out.splitlines()[1:3]] == ["SVM (RBF)", "logistic regression"]
    assert {line.split(",")[7] for line in out.splitlines()[3:]} == {"simple_rnn", "gru"}
    code, again, err = cli(*words)
    assert code == 0
    assert again == out
    assert err.count("finished before, skipped") == 2


@pytest.mark.parametrize("words", ["predict RUN x", "evaluate RUN", "look RUN", "export RUN", "score RUN x"])
def test_a_run_without_a_model_is_refused_before_keras_is_imported(words: str, tmp_path: Path) -> None:
    run = tmp_path / "baseline"
    run.mkdir()
    facts = {"format": 2, "task": "adding", "version": 1, "source": "builtin:generated", "fingerprint": "0", "spec": {}}
    (run / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    (run / "result.json").write_text("{}", encoding="utf-8")
    code = (
        "import sys; sys.argv = ['seqtasks', *sys.argv[1:]]\n"
        "from seqtasks.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert stop.code == 2, stop.code\n"
        "assert 'keras' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, *words.replace("RUN", str(run)).split()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and "has no model.keras (it is a baseline" in done.stderr, done.stderr
