"""Commands that show or give away a trained model: app, serve, export, pack, unpack."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from seqtasks.cli.app import command
from seqtasks.cli.interface.options import DEFAULT_RUNS, Host, Port, Quiet, RunName, RunNames, Runs, Trust

PANEL = "Sharing and serving"  # of the commands in `seqtasks --help`


@command(PANEL, name="app")
def app_(
    run: RunNames,
    host: Host = "127.0.0.1",
    port: Port = 7860,
    password: Annotated[
        str | None,
        typer.Option("--password", help="Password of the page, with any user name", envvar="SEQTASKS_PASSWORD"),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser, where there is a display")] = True,
    runs: Runs = DEFAULT_RUNS,
    quiet: Quiet = False,
    trust: Trust = False,
) -> None:
    """Try trained models in the browser: a page on this machine, until Ctrl-C.

    A language model shows its text as it is generated, with the next tokens and a unit; a classifier the words that
    mattered; a tagger tags; a translator its attention. Images are drawn or loaded, sound is recorded, series are
    tables. Several runs of one task answer side by side. Needs the extra `app` (Gradio); nothing is loaded from the
    network.

    Examples:

      seqtasks app runs/char_lm-lstm-0123abcd

      seqtasks app runs/mnist_rows-lstm-0123abcd runs/mnist_rows-gru-4567cdef

      SEQTASKS_PASSWORD=secret seqtasks app runs/tagging-* --host 0.0.0.0 --port 8000 --no-browser
    """
    from seqtasks.cli import app_command

    app_command.main(run, runs, host, port, password, browser=browser, quiet=quiet, trust=trust)


@command(PANEL)
def serve(
    run: RunNames,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token: Annotated[
        str | None,
        typer.Option("--token", help="Bearer token that every request has to send", envvar="SEQTASKS_TOKEN"),
    ] = None,
    max_batch: Annotated[
        int, typer.Option("--max-batch", min=1, max=1024, help="Requests computed as one batch; 1: no batching")
    ] = 64,
    batch_wait: Annotated[
        float, typer.Option("--batch-wait", min=0, max=1000, help="Milliseconds that a request waits for others")
    ] = 3.0,
    max_body: Annotated[
        int, typer.Option("--max-body", min=1024, help="Maximum size of the body of a request in bytes")
    ] = 8 << 20,
    max_inputs: Annotated[int, typer.Option("--max-inputs", min=1, help="Maximum number of inputs of a request")] = 64,
    max_length: Annotated[
        int, typer.Option("--max-length", min=1, help="Maximum number of characters of a text")
    ] = 10_000,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", min=1, help="Maximum number of tokens that a request generates")
    ] = 2_000,
    max_sessions: Annotated[int, typer.Option("--max-sessions", min=1, help="Maximum number of open sessions")] = 100,
    max_waiting: Annotated[
        int, typer.Option("--max-waiting", min=1, help="Maximum number of requests that wait for the model")
    ] = 256,
    session_time: Annotated[
        float, typer.Option("--session-time", min=1, help="Seconds that a session lives after its last request")
    ] = 600.0,
    time_limit: Annotated[float, typer.Option("--time-limit", min=0.01, help="Seconds that a request may take")] = 30.0,
    log_requests: Annotated[bool, typer.Option("--log-requests", help="Print a line for each request")] = False,
    runs: Runs = DEFAULT_RUNS,
    quiet: Quiet = False,
    trust: Trust = False,
) -> None:
    """Serve trained models over HTTP on this machine, until Ctrl-C or SIGTERM.

    POST /predict answers for every task; POST /generate streams text; /sessions keep the states of a language model;
    /v2 is the Open Inference Protocol, which clients of KServe and Triton use; /metrics is for Prometheus; /docs
    describes all of it. Requests that come together are computed together. Needs the extra `serve` (FastAPI).

    Examples:

      seqtasks serve runs/tagging-lstm-0123abcd

      curl -s http://127.0.0.1:8000/predict --json '{"inputs": ["the cat sat on the mat"]}'

      seqtasks serve runs/char_lm-lstm-0123abcd runs/sentiment-gru-4567cdef --port 0

      SEQTASKS_TOKEN=secret-of-16-signs seqtasks serve runs/tagging-* --host 0.0.0.0 --max-batch 32
    """
    from seqtasks.cli import serve_command

    serve_command.main(
        run, runs, {"host": host, "port": port, "token": token},
        {"batch": max_batch, "collect_seconds": batch_wait / 1000, "body": max_body, "inputs": max_inputs,
         "length": max_length, "tokens": max_tokens, "sessions": max_sessions, "waiting": max_waiting,
         "session_seconds": session_time, "seconds": time_limit},
        log_requests=log_requests, quiet=quiet, trust=trust,
    )  # fmt: skip


@command(PANEL)
def export(
    run: RunName,
    format: Annotated[
        Literal["saved_model", "onnx", "litert", "openvino", "safetensors"],
        typer.Option("--format", "-f", help="Format of the model files; safetensors has the weights only"),
    ] = "onnx",
    step: Annotated[
        bool,
        typer.Option(
            "--step", help="One step, with each state as an input and an output; default where it is possible"
        ),
    ] = False,
    length: Annotated[
        int | None,
        typer.Option(min=1, help="A whole sequence of this number of steps, with its mask as an input"),
    ] = None,
    any_length: Annotated[
        bool, typer.Option("--any-length", help="A whole sequence of any length; saved_model and openvino only")
    ] = False,
    quantize: Annotated[
        Literal["float16", "dynamic"] | None,
        typer.Option(help="Smaller weights: float16, or dynamic (int8 weights; onnx and litert only)"),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="Folder to write; default: export/FORMAT in the run folder"),
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Number of test examples of the proof")] = 100,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Largest allowed difference, relative to the largest output; default: 0.0001, or with --quantize "
            "float16 0.02, with dynamic 0.2",
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(help="Licence of the data, for the manifest; default: that of a data set of tensorflow-datasets"),
    ] = None,
    report: Annotated[Literal["text", "csv", "json"], typer.Option(help="Format of the printed proof")] = "text",
    runs: Runs = DEFAULT_RUNS,
    quiet: Quiet = False,
    trust: Trust = False,
) -> None:
    """Write a trained model for another runtime, and prove that it gives the same outputs there.

    Test examples run through the written files in a process without seqtasks. Printed are the largest difference from
    Keras, the share of equal answers, the score beside that of the run, size, time and operations. Beyond the
    tolerance the exit code is 1 and nothing is written. The folder has a manifest.json and a use.py that needs NumPy
    and the runtime only. Needs the extra `export`.

    Examples:

      seqtasks export char_lm-lstm-0123abcd

      seqtasks export char_lm-lstm-0123abcd --format litert --quantize dynamic --out phone

      seqtasks export tagging-lstm-0123abcd --length 60

      seqtasks export sentiment-gru-4567cdef --format openvino --any-length

      seqtasks export mnist_rows-lstm-89ab0123 --format safetensors
    """
    from seqtasks.cli import export_command

    shape = export_command.shape_of(step, length, any_length)
    export_command.main(
        run,
        runs,
        out,
        report,
        quiet=quiet,
        trust=trust,
        format=format,
        shape=shape,
        length=length,
        quantize=quantize,
        examples=examples,
        tolerance=tolerance,
        licence=licence,
    )


@command(PANEL)
def pack(
    run: RunName,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FILE", help="Archive to write; default: RUN.seqtasks.zip in this folder"),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option("--licence", metavar="TEXT", help="Licence of the data; default: that of the data set, if known"),
    ] = None,
    examples: Annotated[
        bool, typer.Option(help="Include plots and outputs on the test split, which can hold texts of the data")
    ] = True,
    push: Annotated[
        str | None,
        typer.Option("--push", metavar="hf://OWNER/NAME", help="Upload to the Hugging Face Hub instead of an archive"),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository of the Hub private")] = False,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Pack a finished run into one archive, with checksums and a model card.

    The card is made from the result row: data, scores with their spread over the seeds beside the run, limits, licence,
    how to reproduce. The archive holds the name of the data source and the vocabulary of the data; with plots and
    outputs, also texts of the test split. Uploading needs the extra `hub` (huggingface_hub).

    Examples:

      seqtasks pack runs/tagging-lstm-0123abcd

      seqtasks pack runs/tagging-lstm-0123abcd --licence "CC BY-SA 4.0" --no-examples --out tagger.zip

      seqtasks pack runs/tagging-lstm-0123abcd --push hf://someone/tagger --private
    """
    from seqtasks.cli import pack_command

    pack_command.pack(run, runs, out, licence, push, examples=examples, private=private)


@command(PANEL)
def unpack(
    archive: Annotated[
        str, typer.Argument(help="Archive of `seqtasks pack`, or hf://OWNER/NAME[@REVISION]", metavar="ARCHIVE")
    ],
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", metavar="HEX", help="Checksum that the archive must have, as `pack` printed it"),
    ] = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Unpack an archive of a run into the folder of all runs; its code is not executed.

    Archives with absolute paths, .., links, more than 10,000 files or 10 GB, or a wrong checksum are refused, and
    nothing of them stays. The checksums inside show damage; --sha256, from the sender, shows that it is their archive.

    Examples:

      seqtasks unpack tagging-lstm-0123abcd.seqtasks.zip

      seqtasks unpack hf://someone/tagger --runs others
    """
    from seqtasks.cli import pack_command

    pack_command.unpack(archive, runs, sha256)
