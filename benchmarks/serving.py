"""Load on a server: throughput with and without batching, latency, errors, memory.

    python benchmarks/serving.py RUN… --connections 64 --seconds 60

RUNs are finished runs of tasks that read texts or prompts. Starts `seqtasks serve` twice for each of them, with
batching and with `--max-batch 1`, and asks both in turns from a second process. Each of its connections sends the next
request when the answer to the last one has come. Every answer is compared with that of a single request. Prints
requests per second, the median and the 99th percentile of the latency, the processor time of the server, errors, the
ratio of the throughputs, and the memory of the servers at the start and at the end of the load. `--parts` is the number
of turns that the seconds are divided into.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

TOKENS = 64  # generated for each request of a language model
TEXTS = 64  # different requests
WORDS = [
    "the",
    "model",
    "reads",
    "a",
    "text",
    "and",
    "answers",
    "with",
    "one",
    "row",
    "for",
    "each",
    "of",
    "them",
    "if",
]


def start(run: str, batch: int | None) -> tuple[subprocess.Popen[str], str]:
    """Starts a server; returns the process and host:port."""
    command = [sys.executable, "-m", "seqtasks", "serve", run, "--port", "0", "--quiet"]
    command += [] if batch is None else ["--max-batch", str(batch)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    line = child.stdout.readline()
    return child, re.search(r"http://(\S+)", line)[1]


def memory(child: subprocess.Popen[str]) -> int:
    """Memory of the server in MB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{child.pid}/status").read_text())[1]) // 1024


def processor_seconds(child: subprocess.Popen[str]) -> float:
    """Processor time of the server so far."""
    fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bodies(address: str) -> list[bytes]:
    """Requests to the model of a server: sentences of 3 to 30 words, or prompts of 4 to 40 characters."""
    with urllib.request.urlopen(f"http://{address}/models") as answer:
        (model,) = json.load(answer)
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, rng.integers(3, 31))) for _ in range(TEXTS)]
    if model["generates"]:
        texts = [text[: rng.integers(4, 41)] for text in texts]
    options = [{"length": TOKENS, "seed": i} if model["generates"] else {} for i in range(TEXTS)]
    return [json.dumps({"inputs": [t], "options": o}).encode() for t, o in zip(texts, options, strict=True)]


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> tuple[int, bytes]:
    """Sends a request over an open connection; returns status and body of the answer."""
    head = f"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    writer.write(head.encode() + b"\r\n\r\n" + body)
    head_of_answer = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head_of_answer.lower())[1])
    return int(head_of_answer.split()[1]), await reader.readexactly(length)


async def load(address: str, requests: list[bytes], answers: list[bytes], connections: int, seconds: float) -> Any:
    """Asks a server over several connections; returns the latencies and the number of errors."""
    host, _, port = address.rpartition(":")
    latencies: list[float] = []
    errors, end = 0, time.perf_counter() + seconds

    async def connection(number: int) -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection(host, int(port))
        i = number
        while (begun := time.perf_counter()) < end:
            status, body = await ask(reader, writer, requests[i % len(requests)])
            errors += status != 200 or body != answers[i % len(requests)]
            latencies.append(time.perf_counter() - begun)
            i += connections + 1
        writer.close()

    await asyncio.gather(*map(connection, range(connections)))
    return latencies, errors


async def singles(address: str, requests: list[bytes]) -> list[bytes]:
    """Answers to single requests."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answers = [await ask(reader, writer, body) for body in requests]
    writer.close()
    assert all(status == 200 for status, _ in answers), answers[0]
    return [body for _, body in answers]


def client(pipe: Any) -> None:
    """Process that makes the load: takes (function, arguments) from the pipe, and sends what they return."""
    while (task := pipe.recv()) is not None:
        function, *arguments = task
        pipe.send(asyncio.run(function(*arguments)))


def measure(run: str, connections: int, seconds: float, parts: int) -> dict[str, Any]:
    """Measures a run with and without batching, in turns."""
    pipe, other = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=client, args=(other,), daemon=True)
    process.start()
    servers = {"batching": start(run, None), "one by one": start(run, 1)}

    def call(*task: Any) -> Any:
        pipe.send(task)
        return pipe.recv()

    try:
        requests = bodies(servers["batching"][1])
        answers = call(singles, servers["one by one"][1], requests)
        results: dict[str, Any] = {
            name: {"latencies": [], "errors": 0, "seconds": 0.0, "processor": 0.0} for name in servers
        }
        for name, (_, address) in servers.items():
            call(load, address, requests, answers, connections, 3.0)  # compiles what the load needs
            results[name]["memory"] = [memory(servers[name][0])]
        for _ in range(parts):
            for name, (child, address) in servers.items():
                begun, processor = time.perf_counter(), processor_seconds(child)
                latencies, errors = call(load, address, requests, answers, connections, seconds / parts)
                result = results[name]
                result["seconds"] += time.perf_counter() - begun
                result["processor"] += processor_seconds(child) - processor
                result["latencies"] += latencies
                result["errors"] += errors
                result["memory"].append(memory(child))
    finally:
        for child, _ in servers.values():
            child.send_signal(signal.SIGTERM)
            child.wait(120)
        pipe.send(None)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders")
    parser.add_argument("--connections", type=int, default=64, help="number of connections")
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds of load on each server")
    parser.add_argument("--parts", type=int, default=4, help="number of turns")
    arguments = parser.parse_args()
    for run in arguments.runs:
        results = measure(run, arguments.connections, arguments.seconds, arguments.parts)
        rates = {}
        for name, result in results.items():
            latencies = 1e3 * np.array(result["latencies"])
            rates[name] = len(latencies) / result["seconds"]
            p50, p99 = np.percentile(latencies, [50, 99])
            print(
                f"{Path(run).name}, {name}: {rates[name]:.1f} requests/s, latency p50 {p50:.0f} ms p99 {p99:.0f} ms, "
                f"{1e3 * result['processor'] / len(latencies):.2f} ms of processor time a request, "
                f"{result['errors']} errors of {len(latencies)}, memory {' '.join(map(str, result['memory']))} MB",
                flush=True,
            )
        print(f"{Path(run).name}: throughput with batching × {rates['batching'] / rates['one by one']:.2f}", flush=True)


if __name__ == "__main__":
    main()
