from __future__ import annotations

from collections.abc import Iterator

import pytest
from s3_server import S3Server, s3_server


@pytest.fixture(scope="package")
def server() -> Iterator[S3Server]:
    """An S3 server with a bucket of the name `bucket`."""
    with s3_server("bucket") as running:
        yield running
