"""The playground in headless Chromium without a network: each task type, two widths.

Set SEQTASKS_SCREENSHOTS to a folder to keep the screenshots.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .tiny_runs import tables, train_on, train_with, unpack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
pytest.importorskip("gradio", reason="Gradio is not installed: the extra `app`")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("Chromium is not installed", allow_module_level=True)
WIDTHS = (1280, 390)
TEXTS = {"sentiment": "not a good film", "tagging": "def f(x): return x", "translation": "207"}
FILES = {"captioning": "scene.png", "spoken_digits": "tone.wav", "spoken_strings": "tone.wav"}
LANGUAGE = ("char_lm", "text_lm", "word_lm")
DRAWN = ("mnist_rows", "mnist_vanilla", "glimpses")
NUMBERED = ("adding", "copy_memory", "frames", "parity")
ON_TABLES = ("series", "step_labels", "forecast", "anomaly")
TASKS = (*TEXTS, *FILES, *LANGUAGE, *DRAWN, *NUMBERED, *ON_TABLES)


@contextlib.contextmanager
def served(*words: str, cwd: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Starts `seqtasks app`; yields its address and the process, which is stopped at the end."""
    command = [sys.executable, "-m", "seqtasks", "app", *words, "--port", "0", "--no-browser"]
    with (cwd / "app.log").open("w") as log:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=cwd)
        try:
            assert child.stdout is not None
            address = re.search(r"http://\S+/", child.stdout.readline())
            assert address is not None, (cwd / "app.log").read_text()
            yield address[0], child
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
                child.wait(120)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each bundled task, their inputs, and a second run of one task."""
    folder = tmp_path_factory.mktemp("browser")
    runs = unpack(folder)
    for task, file in tables(folder / "inputs").items():
        train_on(file, task, runs)
    train_with("parity", runs, "data.limit=64")
    first = next(runs.glob("mnist_rows-*"))
    shutil.copytree(first, runs / "mnist_rows-second-0123abcd")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    arguments = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(base: Path) -> Iterator[str]:
    with served(*sorted(map(str, (base / "runs").iterdir())), cwd=base) as (url, _):
        yield url


def visit(browser: Any, url: str, width: int) -> tuple[Any, list[str], list[str]]:
    """Opens the page; returns it, requests to other servers, and errors of its console."""
    page = browser.new_page()
    page.set_viewport_size({"width": width, "height": 1000})
    page.set_default_timeout(120_000)
    outside: list[str] = []
    errors: list[str] = []
    page.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else outside.append(r.url))
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    page.get_by_role("button").first.wait_for()
    return page, outside, errors


def open_tab(page: Any, name: str) -> Any:
    """Opens a tab, which is in a menu where the row of tabs is full; returns its panel."""
    tab = page.get_by_role("tab", name=name, exact=True)
    if tab.count() == 0 or not tab.first.is_visible():
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-dropdown button", has_text=re.compile(f"^{name}$")).click()
    else:
        tab.first.click()
    panel = page.locator(f'[role="tabpanel"]:has([id="{name}-0"])')
    panel.locator(f'[id="{name}-0"]').wait_for(state="visible")
    return panel


def fill_in(page: Any, panel: Any, task: str, inputs: Path) -> None:
    if task in TEXTS or task in LANGUAGE:
        panel.locator(".input-text textarea").fill(TEXTS.get(task, "the "))
    elif task in FILES:
        page.wait_for_timeout(3000)  # the sketch pad drops a file that comes while it is made
        panel.locator("input[type=file]").first.set_input_files(inputs / FILES[task])
        page.wait_for_timeout(3000)
    elif task in ON_TABLES:
        panel.locator("input[type=file]").first.set_input_files(inputs / f"{task}.csv")
        panel.get_by_text(f"{task}", exact=False).first.wait_for()
        page.wait_for_timeout(2000)
    elif task in DRAWN:
        canvas = panel.locator(".input-sketch canvas").first
        canvas.scroll_into_view_if_needed()
        page.wait_for_timeout(2500)
        panel.locator(".input-sketch").get_by_role("button", name="Brush").first.click()
        page.wait_for_timeout(500)
        box = canvas.bounding_box()
        x, top, bottom = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2, box["y"] + box["height"] * 0.8
        page.mouse.move(x, top)
        page.mouse.down()
        for step in range(1, 11):
            page.mouse.move(x, top + (bottom - top) * step / 10)
        page.mouse.up()
        page.wait_for_timeout(1000)


def keep(page: Any, name: str) -> None:
    """Keeps a screenshot of the whole page, if a folder for them is named."""
    if folder := os.environ.get("SEQTASKS_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_task_type_answers(browser: Any, address: str, base: Path, width: int) -> None:
    page, outside, errors = visit(browser, address, width)
    for task in TASKS:
        panel = open_tab(page, task)
        fill_in(page, panel, task, base / "inputs")
        panel.locator(f'[id="{task}-0"]').click()
        columns = 2 if task == "mnist_rows" else 1
        try:
            for column in range(columns):
                panel.locator(".column .answer").nth(column).wait_for()
            if task in (*DRAWN[::2], "translation", "forecast", "anomaly", "step_labels", "series"):
                panel.locator(".column .answer img").nth(columns - 1).wait_for()
        except api.TimeoutError:
            keep(page, f"{width}-{task}-failed")
            raise
        page.wait_for_timeout(700)
        keep(page, f"{width}-{task}")
        assert page.locator(".toast-body.error").count() == 0, task
        answers = panel.locator(".column .answer").all_inner_texts()
        assert all(text.strip() for text in answers) and len(answers) == columns, task
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{task}: the page is {wide} pixels wider than the window"
    assert outside == [] and errors == []
    page.close()


def test_a_text_goes_on_and_each_visitor_has_a_text_of_their_own(browser: Any, address: str) -> None:
    contexts = [browser.new_context() for _ in range(2)]
    texts = []
    for number, context in enumerate(contexts):
        page, _, _ = visit(context, address, 1280)
        panel = open_tab(page, "char_lm")
        panel.locator(".input-text textarea").fill(("def ", "class ")[number])
        panel.get_by_label("number input for tokens").fill("30")
        panel.locator('[id="char_lm-0"]').click()
        texts.append((page, panel))
    lengths = []
    for page, panel in texts:
        panel.locator(".answer .text").wait_for()
        page.wait_for_timeout(2500)
        lengths.append(len(panel.locator(".answer .text").inner_text()))
        panel.locator('[id="char_lm-1"]').click()  # Continue
    for number, (page, panel) in enumerate(texts):
        page.wait_for_timeout(2500)
        text = panel.locator(".answer .text").text_content()
        assert text.startswith(("def ", "class ")[number]) and len(text) > lengths[number] + 15
    for context in contexts:
        context.close()


def test_a_wrong_input_is_answered_by_one_line(browser: Any, address: str) -> None:
    page, _, _ = visit(browser, address, 1280)
    panel = open_tab(page, "sentiment")
    panel.locator('[id="sentiment-0"]').click()
    page.get_by_text("there is no text; allowed: one or more; give a text").first.wait_for()
    panel.locator(".input-text textarea").fill("<img src=x onerror=alert(1)> ${1+1} {{2}}")  # stays a text
    panel.locator('[id="sentiment-0"]').click()
    panel.locator(".answer .text").wait_for()
    assert panel.locator(".answer .text").inner_text() == "<img src=x onerror=alert(1)> ${1+1} {{2}}"
    page.close()


def test_the_password_is_asked_for_and_the_end_is_clean(
    browser: Any, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQTASKS_PASSWORD", "secret")
    with served(str(next((base / "runs").glob("sentiment-*"))), cwd=base) as (url, child):
        page = browser.new_page()
        page.goto(url)
        boxes = page.locator("input")
        boxes.nth(0).wait_for()
        boxes.nth(0).fill("anyone")
        boxes.nth(1).fill("secret")
        page.get_by_role("button", name="Login").click()
        page.locator('[id="sentiment-0"]').wait_for()
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 0 and (base / "app.log").read_text().rstrip().endswith("stopped")
        page.close()
