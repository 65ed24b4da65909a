"""Which cells' contract a session tests: three thirds that cover all cells, and the cells of changed files."""

import pytest

from . import cell_choice

CELLS = {"a": "seqtasks.cells.one", "b": "seqtasks.cells.two", "c": "seqtasks.cells.two", "d": "seqtasks.cells.four"}


def test_the_thirds_cover_all_cells_once():
    cells = cell_choice.bundled_cells()
    thirds = [cell_choice.choose(third, [], cells)[0] for third in cell_choice.THIRDS]
    assert sorted(name for third in thirds for name in third) == sorted(cells)
    assert max(map(len, thirds)) - min(map(len, thirds)) <= 1


def test_the_cells_of_changed_files_are_added_once():
    changed = ["seqtasks/cells/two.py", "seqtasks/cells/base.py", "README.md"]
    assert cell_choice.choose("0", changed, CELLS) == (["a", "d"], ["b", "c"])
    assert cell_choice.choose("1", changed, CELLS) == (["b"], ["c"])


@pytest.mark.parametrize(
    ("head", "third"), [("0000000c" + 32 * "a", "0"), ("0000000d" + 32 * "b", "1"), ("fffffffd" + 32 * "0", "1")]
)
def test_the_commit_chooses_the_third(head, third, monkeypatch):
    monkeypatch.setattr(cell_choice, "git", lambda *words: [head] if words[0] == "rev-parse" else None)
    assert cell_choice.third_of_commit() == third
    assert cell_choice.chosen_third(None, False) == third
    names, line = cell_choice.chosen_cells(third)
    assert names == cell_choice.choose(third, [], cell_choice.bundled_cells())[0] and f"--third {third}" in line


def test_the_first_commit_has_none_before_it(monkeypatch):
    lines = {("diff", "HEAD"): ["a.py"], ("ls-files", "--exclude-standard"): ["b.py"]}
    monkeypatch.setattr(cell_choice, "git", lambda *words: lines.get((words[0], words[-1])))
    assert cell_choice.changed_files() == ["a.py", "b.py"]


def test_without_git_the_version_chooses(monkeypatch):
    monkeypatch.setattr(cell_choice, "git", lambda *words: None)
    assert cell_choice.third_of_commit() in cell_choice.THIRDS
    assert cell_choice.changed_files() == []


def test_all_where_tests_are_selected_by_hand():
    assert cell_choice.chosen_third(None, True) == cell_choice.chosen_third("all", False) == "all"
    assert cell_choice.chosen_third("2", True) == "2"
    every = sorted(cell_choice.bundled_cells())
    assert cell_choice.chosen_cells("all")[0] == every
    assert len(cell_choice.chosen_cells("2")[0]) < len(every)


@pytest.mark.parametrize("inner", [1, 2, 3, 4])
def test_three_thirds_of_parameters_are_all_of_them(inner):
    for outer in range(1, 10):
        places = range(outer * inner)
        thirds = [[place for place in places if cell_choice.in_third(place, third)] for third in cell_choice.THIRDS]
        assert sorted(place for third in thirds for place in third) == list(places)
        if outer >= 6:  # each third sees every value of the inner parameter
            assert all({place % inner for place in third} == set(range(inner)) for third in thirds)
    assert cell_choice.in_third(1, "all")
