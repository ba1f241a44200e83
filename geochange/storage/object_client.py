"""Clients of object storage, by obstore: credentials from the environment, retries, one-line errors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

from geochange.errors import GeochangeError, MissingDependencyError, OutputError, one_line
from geochange.files.file_names import is_control, shorten, split_address
from geochange.storage.work_store import StorageAccessError, StorageError

SCHEMES: Final = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}
"""Kinds of object storage with conditional puts, and how the variables with credentials begin."""

UNSIGNED: Final = {
    "s3": "AWS_NO_SIGN_REQUEST",
    "gs": "GS_NO_SIGN_REQUEST",
    "az": "AZURE_NO_SIGN_REQUEST",
}
"""Variables by which GDAL reads public buckets without credentials."""

RETRIES: Final[dict[str, Any]] = {
    "max_retries": 10,
    "retry_timeout": timedelta(minutes=3),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=15),
        "base": 2,
    },
}
"""How often obstore repeats a request after 429, 5xx, a timeout or a lost connection."""

FEW_TRIES: Final = 3
"""The most repetitions before the work of a run begins. A wrong address must not take minutes."""

TIMEOUTS: Final[dict[str, Any]] = {
    "connect_timeout": timedelta(seconds=15),
    # A stalled transfer is repeated. A slow one may take its time.
    "read_timeout": timedelta(seconds=30),
    "timeout": timedelta(minutes=10),
}

_METADATA_SERVERS: Final = re.compile(
    r"/latest/api/token|169\.254\.169\.254|169\.254\.170\.2|metadata\.google\.internal"
    r"|/metadata/identity|security-credentials|computeMetadata"
)
_NO_BUCKET: Final = re.compile(
    r"NoSuchBucket|ContainerNotFound|specified (bucket|container) does not exist"
)
_NO_RIGHT: Final = re.compile(
    r"\b40[13] |AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|AuthenticationFailed"
)
_SECRET: Final = re.compile(r"\?[^\s'\"]+")
"""The query of an address, in which Azure has its signature."""


def is_object_url(text: str) -> bool:
    """Whether a name is a URL of object storage."""
    return text.partition("://")[0].lower() in SCHEMES and "://" in text


def checked_url(option: str, text: str) -> str:
    """The URL of a prefix in a bucket, without a slash at its end. Raises OutputError."""
    parts = split_address(text)
    bare = shorten(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
    if parts.scheme.lower() not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise OutputError(f"{option} {bare}: is no object storage; give an address with {known}")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise OutputError(
            f"{option} {bare}: the address holds more than bucket and key; set credentials in the "
            f"environment ({SCHEMES[parts.scheme.lower()]}...)"
        )
    path = parts.path.strip("/")
    if not parts.netloc or not path or is_control(text) or not text.isascii() or ".." in path:
        raise OutputError(
            f"{option} {bare}: write it as {parts.scheme}://BUCKET/FOLDER/NAME in ASCII"
        )
    return f"{parts.scheme.lower()}://{parts.netloc}/{re.sub('/+', '/', path)}"


def require_obstore(option: str) -> None:
    """Raise MissingDependencyError without obstore."""
    try:
        import obstore  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"{option}: needs the package obstore; install it with pip install 'geochange[cloud]'"
        ) from error


def client_of(url: str, before_work: bool = False) -> Any:
    """The client of obstore for a prefix, with fewer retries before the work. Raises StorageError."""
    tries = min(FEW_TRIES, RETRIES["max_retries"]) if before_work else RETRIES["max_retries"]
    return _client(url, tries, os.getpid(), os.environ.get("AWS_ENDPOINT_URL", ""))


@lru_cache(64)
def _client(url: str, tries: int, process: int, endpoint: str) -> Any:
    from obstore.store import from_url

    retries = {**RETRIES, "max_retries": tries}

    options = {**TIMEOUTS, **({"allow_http": True} if endpoint.startswith("http://") else {})}
    with as_storage_error(url):
        return from_url(url, client_options=options, retry_config=retries, **_credentials(url))


def _credentials(url: str) -> dict[str, Any]:
    """Credentials that GDAL takes from the environment and obstore does not: none, and AWS_PROFILE."""
    unsigned = os.environ.get(UNSIGNED[url.partition(":")[0]], "")
    if unsigned.upper() in ("YES", "TRUE", "ON", "1"):
        return {"skip_signature": True}
    if not (url.startswith("s3:") and os.environ.get("AWS_PROFILE")):
        return {}
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError as error:
        raise StorageError(
            f"{url}: AWS_PROFILE is set, which needs boto3; install it with pip install boto3, or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead"
        ) from error
    return {"credential_provider": Boto3CredentialProvider()}


@contextmanager
def as_storage_error(url: str, kind: type[GeochangeError] = StorageError) -> Iterator[None]:
    """Turn errors of obstore into one line with a cure, without secrets. FileNotFoundError passes.

    kind: the type of the error.
    """
    from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

    try:
        yield
    except (AlreadyExistsError, PreconditionError):
        raise
    except FileNotFoundError as error:
        if _NO_BUCKET.search(str(error)):
            raise _as_refusal(kind)(describe(url, error)) from None
        raise
    except (BaseError, OSError, ValueError) as error:
        # The text of obstore shows the whole request, so it does not become a cause.
        refused = any(
            cause.search(str(error)) for cause in (_METADATA_SERVERS, _NO_BUCKET, _NO_RIGHT)
        )
        raise (_as_refusal(kind) if refused else kind)(describe(url, error)) from None


def _as_refusal(kind: type[GeochangeError]) -> type[GeochangeError]:
    return StorageAccessError if kind is StorageError else kind


def describe(url: str, error: Exception) -> str:
    """One line for an error of obstore: what was found, and the cure."""
    text = str(error)
    variables = f"{SCHEMES[url.partition(':')[0]]}..."
    if _METADATA_SERVERS.search(text):
        return f"{url}: no credentials; set them in the environment ({variables})"
    if _NO_BUCKET.search(text):
        return f"{url}: there is no such bucket; create it, or check the name"
    if _NO_RIGHT.search(text):
        return (
            f"{url}: access is denied; check the credentials in the environment ({variables}) and "
            "their rights to read, write, list and delete there"
        )
    first = one_line(_SECRET.sub("", text.partition("Debug source")[0]))[:200]
    return f"{url}: does not answer as it should ({first}); check the address, and try again later"


def version_of_object(url: str) -> list[Any]:
    """The version of an object as values for JSON; [] without obstore, or if the server refuses.

    Raises StorageError if the server does not answer.
    """
    prefix, _, name = url.rpartition("/")
    try:
        import obstore
    except ImportError:
        return []
    try:
        with as_storage_error(url):
            found = obstore.head(client_of(prefix), name)
    except (FileNotFoundError, StorageAccessError):
        # GDAL may have other access to it.
        return []
    return [found["size"], found["e_tag"] or str(found["last_modified"])]
