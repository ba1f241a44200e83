"""On which addresses this process and those that it started wait for others."""

from __future__ import annotations

import psutil


def listening() -> set[tuple[str, int]]:
    """(host, port) of every TCP port that is open here, by any process of this one's family."""
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return {
        (connection.laddr.ip, connection.laddr.port)
        for process in family
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
