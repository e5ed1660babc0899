"""Ports that are known before anybody listens at them."""

import socket


def reserve() -> socket.socket:
    """A port of this machine that the system gives to nobody else, until this is closed.

    Who is told the number can listen there, now and again later: this one is bound, and does not listen.
    """
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", 0))
    return place
