"""Load on the playground: seconds until an answer, and memory of the server.

    python benchmarks/app_load.py RUN… --visitors 20 --requests 1000

Starts `seqtasks app` with the runs, which are of language models, text classifiers, taggers or translators, and asks
each of them, first one request after the other, then from all visitors at once, each with a text of its own. Prints the
seconds until the first answer and until the last (of a stream, or with the picture), and the memory of the server
after every tenth of `--requests` further requests. An answer to the text of another visitor ends it with an error.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from gradio_client import Client

TOKENS = 200  # generated for each request of a language model


def start(runs: list[str]) -> tuple[subprocess.Popen[str], str]:
    """Starts the server; returns the process and the address."""
    command = [sys.executable, "-m", "seqtasks", "app", *runs, "--port", "0", "--no-browser", "--quiet"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    line = child.stdout.readline()
    return child, re.search(r"http://\S+", line)[0]


def memory(child: subprocess.Popen[str]) -> int:
    """Memory of the server in MB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{child.pid}/status").read_text())[1]) // 1024


def ask(client: Client, name: str, count: int, visitor: int, request: int) -> tuple[float, float]:
    """Sends a request; returns the seconds until the first and the last answer.

    Raises:
        SystemExit: The answer is one to another text.
    """
    text = f"word{visitor}x{request}"
    values = [text, TOKENS, 0.8, None, None, request, 0][:count] if count > 5 else [text, *[None] * (count - 1)]
    begun, first, shown = time.perf_counter(), 0.0, ""
    for answer in client.submit(*values, api_name=name):
        first = first or time.perf_counter() - begun
        shown = answer
    total = time.perf_counter() - begun
    if not shown:
        raise SystemExit(f"{name}: no answer")
    others = set(re.findall(r"word\d+x\d+", re.sub(r"<[^>]*>", "", shown))) - {text}
    if others:
        raise SystemExit(f"{name}: the answer to {text} has the text of another request: {others}")
    return first, total


def show(what: str, seconds: list[tuple[float, float]]) -> None:
    """Prints median, 95th percentile and maximum."""
    for name, column in zip(("first answer", "last answer"), np.array(seconds).T, strict=True):
        median, high, most = np.percentile(column, [50, 95, 100])
        print(f"  {what}, {name}: median {median:.2f} s, 95 % {high:.2f} s, most {most:.2f} s", flush=True)


def at_once(clients: list[Client], name: str, count: int, rounds: int, begin: int) -> list[tuple[float, float]]:
    """Requests of all visitors at the same time, one after the other for each."""
    seconds: list[tuple[float, float]] = []
    failed: list[BaseException] = []

    def visit(visitor: int, client: Client) -> None:
        try:
            seconds.extend(ask(client, name, count, visitor, begin + i) for i in range(rounds))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=visit, args=pair) for pair in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--requests", type=int, default=1000)
    options = parser.parse_args()
    child, url = start(options.runs)
    try:
        clients = [Client(url, verbose=False) for _ in range(options.visitors)]
        endpoints = clients[0].view_api(return_format="dict", print_info=False)["named_endpoints"]
        names = [name for name in endpoints if not name.endswith("_continue")]
        for name in names:
            count = len(endpoints[name]["parameters"])
            print(f"{name}:")
            show("one visitor", [ask(clients[0], name, count, 0, i) for i in range(10)])
            show(f"{options.visitors} at once", at_once(clients, name, count, 3, 100))
        print(f"memory: {memory(child)} MB", end="", flush=True)
        part = -(-options.requests // (10 * options.visitors * len(names)))  # rounded up
        for tenth in range(10):
            for name in names:
                count = len(endpoints[name]["parameters"])
                at_once(clients, name, count, part, 1000 + tenth * part)
            print(f", {memory(child)}", end="", flush=True)
        print(f" after each of 10 times {part * options.visitors * len(names)} requests")
    finally:
        child.send_signal(signal.SIGINT)
        begun = time.perf_counter()
        code = child.wait(120)
        print(f"ended by Ctrl-C in {time.perf_counter() - begun:.1f} s with exit code {code}")


if __name__ == "__main__":
    main()
