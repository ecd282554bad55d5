"""Messages over a real socket, through the listener's threads into the database."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.hl7.messages import parse
from apps.hl7.mllp import FrameReader, Limits, Listener, NoAnswerError, exchange, frame
from apps.hl7.models import Message, Partner
from apps.orders.models import Order
from apps.patients.models import Patient
from tests.factories import ProcedureFactory
from tests.threads import at_once
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]


def adt(number: int, *, control_id: str = "", extra: str = "") -> bytes:
    header = f"MSH|^~\\&|HIS|HOSP|RIS|IMG|2024||ADT^A04|{control_id or number}|P|2.5.1"
    return f"{header}\rPID|1||{number}^^^HOSPITAL||Doe{number}^Jane\r{extra}".encode()


def read_answers(connection: socket.socket, count: int) -> list[bytes]:
    reader, found = FrameReader(), list[bytes]()
    connection.settimeout(20)
    while len(found) < count:
        data = connection.recv(65536)
        assert data, "the listener closed the connection"
        found += reader.feed(data)
    return found


def code(answer: bytes) -> str:
    msa = parse(answer).first("MSA")
    assert msa is not None
    return msa.get(1)


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.fixture
def his(transactional_db: None) -> Partner:
    return Partner.objects.create(name="HIS", application="HIS", facility="HOSP")


def test_a_patient_comes_in_over_the_wire(listener: Listener, his: Partner) -> None:
    answer = exchange("127.0.0.1", listener.port, adt(7), timeout=20)
    assert code(answer) == "AA"
    assert Patient.objects.get().family_name == "Doe7"


def test_messages_of_one_connection_are_taken_in_order(listener: Listener, his: Partner) -> None:
    with socket.create_connection(("127.0.0.1", listener.port)) as connection:
        connection.sendall(b"".join(frame(adt(number)) for number in range(1, 11)))
        answers = [parse(one) for one in read_answers(connection, 10)]
    acknowledged = [msa.get(2) for answer in answers for msa in answer.all("MSA")]
    assert acknowledged == [str(number) for number in range(1, 11)]
    assert Patient.objects.count() == 10


def test_a_message_split_anywhere_arrives_whole(listener: Listener, his: Partner) -> None:
    data = frame(adt(7))
    with socket.create_connection(("127.0.0.1", listener.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for split in range(1, len(data), 9):
            connection.sendall(data[:split])
            time.sleep(0.002)
            connection.sendall(data[split:])
            assert code(read_answers(connection, 1)[0]) == "AA"
    assert (Patient.objects.count(), Message.objects.count()) == (1, 1)


def test_garbage_closes_the_connection_and_is_counted(listener: Listener, his: Partner) -> None:
    with socket.create_connection(("127.0.0.1", listener.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        connection.settimeout(10)
        assert connection.recv(100) == b""
    assert listener.counters.framing_errors == 1
    assert code(exchange("127.0.0.1", listener.port, adt(7), timeout=20)) == "AA"


def test_a_message_of_twenty_megabytes_is_taken(listener: Listener, his: Partner) -> None:
    document = "OBX|1|ED|18748-4^Report^LN||^application^pdf^Base64^" + "QUJD" * (5 * 1024 * 1024)
    raw = adt(7, extra=document)
    assert len(raw) > 20 * 1024 * 1024
    assert code(exchange("127.0.0.1", listener.port, raw, timeout=60)) == "AA"
    assert len(bytes(Message.objects.get().raw)) == len(raw)


def test_two_connections_with_the_same_message_have_one_effect(
    listener: Listener, his: Partner
) -> None:
    ProcedureFactory(code="CTHEAD", scheme="99HOSP")
    order = adt(7).replace(b"ADT^A04", b"ORM^O01") + b"ORC|NW|1^HIS\rOBR|1|1^HIS||CTHEAD^CT^L\r"
    answers = at_once(
        lambda _peer: exchange("127.0.0.1", listener.port, order, timeout=30), range(4)
    )
    again = exchange("127.0.0.1", listener.port, order, timeout=30)
    assert code(again) == "AA"
    assert (Order.objects.count(), Message.objects.count()) == (1, 1)
    assert {code(answer) for answer in answers} <= {"AA", "AE"}


@pytest.mark.parametrize("limits", [Limits(connections=1), Limits(connections_of_a_peer=1)])
def test_too_many_connections_are_turned_away(limits: Limits) -> None:
    running = Listener("127.0.0.1", 0, lambda *_args: [b"ok"], limits=limits)
    running.open()
    thread = threading.Thread(target=running.serve)
    thread.start()
    with socket.create_connection(("127.0.0.1", running.port)) as first:
        first.sendall(frame(b"x"))
        assert read_answers(first, 1) == [b"ok"]
        with pytest.raises(NoAnswerError):
            exchange("127.0.0.1", running.port, b"x", timeout=5)
    assert running.counters.turned_away == 1
    running.stop()
    thread.join(timeout=10)


@pytest.mark.parametrize("sent", [b"", b"\x0bMSH|unfinished"])
def test_a_silent_connection_is_closed(sent: bytes) -> None:
    limits = Limits(idle=0.3, frame=0.3)
    running = Listener("127.0.0.1", 0, lambda *_args: [b"ok"], limits=limits)
    running.open()
    thread = threading.Thread(target=running.serve)
    thread.start()
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(sent)
        connection.settimeout(10)
        assert connection.recv(100) == b""
    wait_for(lambda: running.counters.timeouts == 1)
    running.stop()
    thread.join(timeout=10)


def test_a_frame_fed_drop_by_drop_is_not_waited_for_for_ever() -> None:
    running = Listener("127.0.0.1", 0, lambda *_args: [b"ok"], limits=Limits(frame=0.5))
    running.open()
    thread = threading.Thread(target=running.serve)
    thread.start()
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(b"\x0b")
        connection.settimeout(0.02)
        drops = 0
        while not is_closed(connection):
            with contextlib.suppress(OSError):
                connection.sendall(b"x")
            drops += 1
            assert drops < 500
    running.stop()
    thread.join(timeout=10)


@pytest.mark.parametrize("answer", [None, b"", b"garbage"])
def test_a_client_says_why_it_has_no_answer(answer: bytes | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            connection, _address = server.accept()
            with connection:
                connection.recv(1000)
                if answer is None:
                    time.sleep(1)
                else:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(NoAnswerError):
            exchange("127.0.0.1", port, b"x", timeout=0.5)
        thread.join()


def test_a_taken_port_is_told_in_one_line(settings: object) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings.OPENPACS_HL7_PORT = taken.getsockname()[1]  # type: ignore[attr-defined]
        with pytest.raises(CommandError, match=r"cannot listen on 127\.0\.0\.1:\d+: .*in use"):
            call_command("runhl7")


def test_the_command_runs_and_stops_on_sigterm(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "OPENPACS_HOME": str(tmp_path),
        "OPENPACS_HL7_PORT": str(port),
        "DJANGO_SETTINGS_MODULE": "openpacs.settings",
    }
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runhl7"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    assert said.endswith(f"HL7 listens on 127.0.0.1:{port}\n")
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", said)
    process.send_signal(signal.SIGTERM)
    _out, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in errors
