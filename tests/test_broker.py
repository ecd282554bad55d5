"""The broker that is a folder, through Kombu's own interface."""

import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection

import openpacs.celery  # registers folder://
from openpacs.broker import Transport

assert openpacs.celery.app


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with Connection("folder://", transport_options={"folder": str(tmp_path)}) as connection:
        assert isinstance(connection.transport, Transport)
        yield connection


def test_messages_come_out_in_the_order_of_sending(connection: Connection) -> None:
    with connection.SimpleQueue("ingest") as queue:
        for number in range(5):
            queue.put({"number": number})
        assert queue.qsize() == 5
        taken = [queue.get(timeout=1) for _ in range(5)]
        assert [message.payload["number"] for message in taken] == list(range(5))
        for message in taken:
            message.ack()


def test_a_message_that_is_not_whole_is_skipped(connection: Connection, tmp_path: Path) -> None:
    with connection.SimpleQueue("ingest") as queue:
        (tmp_path / "ingest" / "0.json").write_text('{"half')
        queue.put("whole")
        message = queue.get(timeout=1)
        assert message.payload == "whole"
        message.ack()


def test_an_empty_queue_is_empty_and_a_purged_one_too(connection: Connection) -> None:
    with connection.SimpleQueue("ingest") as queue:
        queue.put("one")
        assert queue.clear() == 1
        with pytest.raises(Empty):
            queue.get(timeout=0.1)


def test_readers_never_see_a_message_being_written(connection: Connection) -> None:
    count = 200

    def write() -> None:
        with connection.clone() as other, other.SimpleQueue("ingest") as queue:
            for _ in range(count):
                queue.put({"text": "x" * 50_000})

    writer = threading.Thread(target=write)
    with connection.SimpleQueue("ingest") as queue:
        writer.start()
        for _ in range(count):
            message = queue.get(timeout=10)
            assert len(message.payload["text"]) == 50_000
            message.ack()
    writer.join()


def test_a_folder_that_cannot_be_written_is_an_error_of_the_channel(
    connection: Connection, tmp_path: Path
) -> None:
    (tmp_path / "blocked").write_text("a file where the queue's folder should be")
    with pytest.raises(OSError, match="blocked"):
        connection.SimpleQueue("blocked").put("x")
