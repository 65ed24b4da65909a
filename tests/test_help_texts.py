"""Help texts of settings and commands are whole phrases, and locals are named for what they hold."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [*sorted((ROOT / "seqtasks").rglob("*.py")), *sorted((ROOT / "tasks").glob("*.py"))]
PREPOSITIONS = {
    "of",
    "on",
    "at",
    "in",
    "from",
    "for",
    "with",
    "to",
    "before",
    "after",
    "by",
    "as",
    "null",
    "true",
    "false",
}


def help_texts(path):
    """The help of every `setting(…)` and `typer.Option(…)` or `typer.Argument(…)` of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        texts = [k.value for k in node.keywords if k.arg == "help"]
        if name == "setting":
            texts += node.args[1:2]
        elif name not in ("typer.Option", "typer.Argument"):
            continue
        yield from (text.value for text in texts if isinstance(text, ast.Constant))


def test_help_begins_with_a_noun_or_a_verb():
    texts = [(path.name, text) for path in SOURCES for text in help_texts(path)]
    assert len(texts) > 150
    assert [
        (name, text) for name, text in texts if not text or text.split()[0].lower().strip(",:;") in PREPOSITIONS
    ] == []


@pytest.mark.parametrize("word", ["found", "told", "said"])
def test_no_local_is_named_for_the_act_of_finding(word):
    places = []
    for path in SOURCES:
        tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
        places += [f"{path.name}:{t.start[0]}" for t in tokens if t.type == tokenize.NAME and t.string == word]
    assert places == []
