"""The network check: proxies, errors, its time limit, and an interpreter that ends while it runs."""

import http.server
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from seqtasks.data import network
from tests.data.test_source import closed_port


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_network_is_true_where_a_host_answers_even_with_an_error(monkeypatch):
    class Refuses(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(403)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        reachable = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(network, "HOSTS", [f"http://127.0.0.1:{closed_port()}/", reachable])
        assert network.network()
        server.shutdown()


def test_network_goes_through_the_proxy(monkeypatch):
    monkeypatch.setattr(network, "HOSTS", ["https://host.invalid/"])
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed_port()}")
    assert not network.network()


def test_network_never_takes_longer_than_asked(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections and never answers
        monkeypatch.setattr(network, "HOSTS", [f"http://127.0.0.1:{silent.getsockname()[1]}/"])
        start = time.monotonic()
        assert not network.network(timeout=0.3)
        assert time.monotonic() - start < 2


def test_an_interpreter_ends_cleanly_before_the_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code = (
            "from seqtasks.data import network\n"
            f"network.HOSTS[:] = ['https://127.0.0.1:{silent.getsockname()[1]}/'] * 8\n"
            "with network.Probe() as probe: print(probe.answer(0.01), probe._process.pid)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    answer, pid = done.stdout.split()
    assert (done.returncode, done.stderr, answer) == (0, "", "None")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
