"""TLS for Dask clusters: checks the client's keys in Dask's configuration, and explains failures."""

from __future__ import annotations

import ssl
from pathlib import Path

import dask
from distributed.security import Security

from geochange.errors import OptionError, one_line

CERTIFICATES = {
    "ca-file": "tls_ca_file",
    "client.cert": "tls_client_cert",
    "client.key": "tls_client_key",
}
"""The certificates of a client: names below distributed.comm.tls, and fields of Security."""


def is_encrypted(scheduler: str) -> bool:
    """Whether the scheduler of an address uses TLS."""
    return scheduler.startswith(("tls://", "wss://"))


def check_keys(scheduler: str) -> None:
    """Refuse an encrypted scheduler if the keys in Dask's configuration are missing.

    Raises OptionError.
    """
    if not is_encrypted(scheduler) or dask.config.get("distributed.client.security-loader", None):
        return
    security = Security()
    for name, field in CERTIFICATES.items():
        place = getattr(security, field)
        if place is None and name != "client.key":  # the file of a certificate may hold its key
            raise OptionError(
                f"--scheduler {scheduler}: needs certificates; name them in Dask's configuration, "
                f"where distributed.comm.tls.{name} is missing (docs/several-machines.md)"
            )
        if place is not None and "\n" not in place and not Path(place).is_file():
            raise OptionError(
                f"--scheduler {scheduler}: {place}: no such file; correct distributed.comm.tls."
                f"{name} in Dask's configuration"
            )


def explain_no_connection(error: BaseException) -> str:
    """Why a client cannot reach a scheduler, and the cure."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            reason = one_line(cause.reason or cause)
            return (
                f"TLS fails ({reason}); give this machine and the scheduler certificates of one "
                "authority"
            )
        cause = cause.__cause__ or cause.__context__
    return (
        "does not answer; start one with `dask scheduler --host 127.0.0.1` for this machine, or "
        "with TLS for several (docs/several-machines.md), and give its address: "
        "tcp://127.0.0.1:8786, or tls://host:8786 of one with TLS"
    )
