"""Servers and clients as processes that do not outlive their benchmark."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

START_SECONDS = 90.0
STOP_SECONDS = 30.0
LOG_TAIL = 2000  # characters of a log that an error quotes

Process = subprocess.Popen[bytes]


class BenchmarkError(Exception):
    """A cell cannot be measured, or its result is wrong; the message says why."""


@contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    stop: signal.Signals = signal.SIGTERM,
    folder: Path | None = None,
) -> Iterator[Process]:
    """A server, from its start to its orderly end; what it leaves behind is killed.

    It has a session of its own: Ctrl-C ends the benchmark, which then ends the server. Where
    the benchmark is killed the kernel ends it.
    """
    setpriv = shutil.which("setpriv")
    mortal = [setpriv, "--pdeathsig", stop.name.removeprefix("SIG")] if setpriv else []
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*mortal, *command],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process, stop)


def end(process: Process, stop: signal.Signals = signal.SIGTERM) -> None:
    """Ask a process that leads a session to end; after a while kill its whole group."""
    with suppress(ProcessLookupError):
        process.send_signal(stop)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    seconds: float = 300,
    folder: Path | None = None,
) -> str:
    """Both outputs of a program; raises BenchmarkError where it fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=dict(environment),
            cwd=folder,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"{name_of(command)} took more than {seconds:g} s") from None
    if done.returncode:
        said = done.stdout[-LOG_TAIL:]
        raise BenchmarkError(f"{name_of(command)} ended with {done.returncode}:\n{said}")
    return done.stdout


def run_together(
    commands: Sequence[Sequence[str]], *, environment: Mapping[str, str], log: Path, seconds: float
) -> None:
    """Run programs at the same time; raises BenchmarkError where one fails or is late."""
    with log.open("wb") as output:
        processes = [
            subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env=dict(environment),
            )
            for command in commands
        ]
    deadline = time.monotonic() + seconds
    try:
        codes = [one.wait(max(0.0, deadline - time.monotonic())) for one in processes]
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"{name_of(commands[0])} took more than {seconds:g} s") from None
    finally:
        for one in processes:
            with suppress(ProcessLookupError):
                one.kill()
            one.wait()
    if any(codes):
        raise BenchmarkError(f"{name_of(commands[0])} ended with {codes}:\n{tail(log)}")


def name_of(command: Sequence[str]) -> str:
    return Path(command[0]).name


def wait_for_port(port: int, process: Process, log: Path, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise BenchmarkError(f"nothing listens on port {port}:\n{tail(log)}")


def tail(log: Path) -> str:
    return log.read_text(errors="replace")[-LOG_TAIL:]
