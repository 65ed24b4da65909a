"""Archives: what is packed, equal bytes, and refusal of everything that `pack` never writes."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from seqtasks.core.errors import DataError, RunError
from seqtasks.deploy import archive
from seqtasks.experiments import results, run_folder

from ..views.playground.tiny_runs import unpack as unpack_runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def packed(runs: Path, tmp_path: Path) -> Path:
    run = run_folder.open_run(next(runs.glob("tagging-*")))
    return archive.pack(run, tmp_path / "run.zip").path


def rewritten(source: Path, change) -> Path:
    """An archive whose members `change` has changed: a dictionary of contents by name."""
    with zipfile.ZipFile(source) as opened:
        members = {info.filename: opened.read(info) for info in opened.infolist()}
    change(members)
    target = source.with_name("changed.zip")
    with zipfile.ZipFile(target, "w") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return target


def summed(members: dict, folder: str) -> None:
    """Makes the list of checksums anew, as an attacker would."""
    sums = f"{folder}/{archive.SUMS}"
    lines = [
        f"{hashlib.sha256(data).hexdigest()}  {name.partition('/')[2]}\n"
        for name, data in members.items()
        if name != sums
    ]
    members[sums] = "".join(lines).encode()


def test_an_unpacked_run_is_read_listed_and_equal(cli, runs: Path, packed: Path, tmp_path: Path) -> None:
    run = archive.unpack(packed, tmp_path / "others")
    original = next(runs.glob("tagging-*"))
    assert run.finished and results.read(run.path) == results.read(original)
    assert (run.path / "model.keras").read_bytes() == (original / "model.keras").read_bytes()
    assert sorted(path.name for path in (tmp_path / "others").iterdir()) == [run.path.name]
    assert run.path.name in cli("list", "runs", "--runs", tmp_path / "others")[1]
    assert cli("table", "--runs", tmp_path / "others")[0] == 0
    card = (run.path / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: seqtasks\npipeline_tag: token-classification\n")


def test_equal_runs_make_equal_archives(runs: Path, packed: Path, tmp_path: Path) -> None:
    run = run_folder.open_run(next(runs.glob("tagging-*")))
    again = archive.pack(run, tmp_path / "again.zip")
    assert again.path.read_bytes() == packed.read_bytes()
    assert again.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    small = archive.pack(run, tmp_path / "small.zip", examples=False)
    with zipfile.ZipFile(small.path) as opened:
        assert not [name for name in opened.namelist() if "plots" in name or "outputs" in name]


def test_a_checksum_of_the_archive(packed: Path, tmp_path: Path) -> None:
    right = archive.sha256_of(packed)
    with pytest.raises(DataError, match="has the SHA-256"):
        archive.unpack(packed, tmp_path / "others", "0" * 64)
    assert not (tmp_path / "others").exists()
    assert archive.unpack(packed, tmp_path / "others", right.upper()).finished
    with pytest.raises(RunError, match="exists; allowed: a new run"):
        archive.unpack(packed, tmp_path / "others")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/etc/evil", "is absolute"),
        ("../evil", "has .."),
        ("RUN/../../evil", "has .."),
        ("RUN/a\\..\\evil", "not portable"),
        ("C:/evil", "not portable"),
        ("RUN/con.txt", "not portable"),
        ("RUN/evil.", "not portable"),
        ("RUN/a\nb", "not portable"),
        ("RUN/README.MD", "have the same name"),
        ("other/evil", "not in one folder"),
        ("evil", "not in one folder"),
        ("RUN/evil", "is not in the list of checksums"),
    ],
)
def test_names_that_are_refused(packed: Path, tmp_path: Path, name: str, message: str) -> None:
    folder = tmp_path / "deep" / "others"

    def change(members: dict) -> None:
        top = next(iter(members)).partition("/")[0]
        members[name.replace("RUN", top)] = b"evil"

    with pytest.raises(DataError, match=message):
        archive.unpack(rewritten(packed, change), folder)
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name or path.name.startswith(".unpack")]
    assert not folder.exists() or not list(folder.iterdir())


def test_a_changed_missing_or_other_file(packed: Path, tmp_path: Path) -> None:
    def damaged(members: dict) -> None:
        name = next(name for name in members if name.endswith("config.yaml"))
        members[name] += b"\n"

    def missing(members: dict) -> None:
        del members[next(name for name in members if name.endswith("history.csv"))]

    def no_sums(members: dict) -> None:
        del members[next(name for name in members if name.endswith(archive.SUMS))]

    def no_run(members: dict) -> None:
        top = next(iter(members)).partition("/")[0]
        del members[f"{top}/run.json"]
        summed(members, top)

    def other_run(members: dict) -> None:
        top = next(iter(members)).partition("/")[0]
        for name in list(members):
            members[name.replace(top, "other", 1)] = members.pop(name)

    def file_outside(members: dict) -> None:
        top = next(iter(members)).partition("/")[0]
        facts = json.loads(members[f"{top}/run.json"]) | {"plugin": "../evil.py"}
        members[f"{top}/run.json"] = json.dumps(facts).encode()
        summed(members, top)

    for change, error, message in (
        (damaged, DataError, "has a wrong checksum"),
        (missing, DataError, "history.csv is missing"),
        (no_sums, DataError, "there are no checksums"),
        (no_run, RunError, "lacks run.json"),
        (other_run, DataError, "not those of a finished run"),
        (file_outside, RunError, "allowed: a file in this folder"),
    ):
        with pytest.raises(error, match=message):
            archive.unpack(rewritten(packed, change), tmp_path / "others")
        assert not list((tmp_path / "others").iterdir())


def test_links_folders_and_encrypted_files(packed: Path, tmp_path: Path) -> None:
    for mode in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR):
        with zipfile.ZipFile(packed) as source, zipfile.ZipFile(tmp_path / "link.zip", "w") as target:
            for info in source.infolist():
                target.writestr(info, source.read(info))
            link = zipfile.ZipInfo(f"{source.namelist()[0].partition('/')[0]}/link")
            link.create_system, link.external_attr = 3, (mode | 0o777) << 16
            target.writestr(link, "/etc/passwd")
        with pytest.raises(DataError, match="is a link, a folder"):
            archive.unpack(tmp_path / "link.zip", tmp_path / "others")
    assert not (tmp_path / "others").exists()


def test_too_much(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = tmp_path / "many.zip"
    with zipfile.ZipFile(many, "w") as target:
        for number in range(archive.MOST_FILES + 1):
            target.writestr(f"run/{number}", b"")
    with pytest.raises(DataError, match="10,001 files; allowed: 1 to 10,000"):
        archive.unpack(many, tmp_path / "others")
    with pytest.raises(DataError, match=r"10,000,000,001 bytes when unpacked; allowed: 10,000,000,000"):
        archive.check_names({"run/a": 10**10, "run/b": 1})
    bomb = tmp_path / "bomb.zip"  # 2 MB of zeros in 2 kB
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("run/zeros", bytes(2_000_000))
    monkeypatch.setattr(archive, "MOST_BYTES", 1_000_000)
    with pytest.raises(DataError, match="2,000,000 bytes when unpacked"):
        archive.unpack(bomb, tmp_path / "others")


def test_a_size_that_is_understated(tmp_path: Path) -> None:
    liar = tmp_path / "liar.zip"
    with zipfile.ZipFile(liar, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("run/zeros", bytes(2_000_000))
    data = liar.read_bytes().replace((2_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    liar.write_bytes(data)
    with pytest.raises(DataError, match=r"larger than stated|no archive that can be read|checksum"):
        archive.unpack(liar, tmp_path / "others")
    assert not list((tmp_path / "others").iterdir())


def test_what_is_no_archive_or_not_finished(cli, runs: Path, packed: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no file"):
        archive.unpack(tmp_path / "nothing.zip", tmp_path / "others")
    cut = tmp_path / "cut.zip"
    cut.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(DataError, match="get it again"):  # the model inside is a ZIP file, too, whose end is found
        archive.unpack(cut, tmp_path / "others")
    folder = tmp_path / "unfinished"
    shutil.copytree(next(runs.glob("tagging-*")), folder)
    (folder / "result.json").unlink()
    code, _, err = cli("pack", folder)
    assert code == 2 and "is not finished" in err and err.count("\n") == 1
    code, _, err = cli("pack", next(runs.glob("tagging-*")), "--private")
    assert code == 2 and "--private without --push" in err
    code, _, err = cli("unpack", "hf://x/y", "--sha256", "00")
    assert code == 2 and "--sha256 with hf://" in err


def test_the_command(cli, runs: Path, tmp_path: Path) -> None:
    code, out, err = cli("pack", next(runs.glob("sentiment-*")), "--out", tmp_path / "s.zip", "--licence", "CC BY 4.0")
    assert code == 0 and out.strip() == str(tmp_path / "s.zip") and "SHA-256" in err
    code, out, _ = cli("unpack", tmp_path / "s.zip", "--runs", tmp_path / "others", "--sha256", err.split()[-1])
    assert code == 0 and Path(out.strip()).is_dir()
    card = (Path(out.strip()) / "README.md").read_text()
    assert "license: cc-by-4.0" in card and "- licence: CC BY 4.0" in card
