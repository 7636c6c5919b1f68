import socket

from harness.local.ports import free_port, is_free


def test_a_free_port_can_be_listened_on():
    socket.create_server(("127.0.0.1", free_port())).close()


def test_ports_are_not_given_out_twice():
    ports = [free_port() for _ in range(30)]
    assert len(set(ports)) == 30


def test_a_port_with_a_listener_is_not_free():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert not is_free(taken.getsockname()[1])
