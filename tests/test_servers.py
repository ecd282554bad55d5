"""Ports for servers of tests."""

import socket
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.servers import free_port


def some_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def test_nobody_else_is_given_a_port_that_is_not_listened_at_yet() -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        given = [port for part in pool.map(some_ports, [40] * 3) for port in part]
    assert len(set(given)) == 120


def test_a_port_that_somebody_listens_at_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        taken = server.getsockname()[1]
        assert taken not in some_ports(20)
        with socket.create_server(("127.0.0.1", taken + 40)):
            assert taken + 40 not in some_ports(60)
