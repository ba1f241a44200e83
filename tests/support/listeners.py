"""The addresses on which this process and its child processes listen."""

from __future__ import annotations

import psutil


def listening_addresses() -> set[tuple[str, int]]:
    """(host, port) of every TCP port that this process or a child process has opened."""
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return {
        (connection.laddr.ip, connection.laddr.port)
        for process in family
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
