from __future__ import annotations

from collections.abc import Iterator

import pytest
from s3_server import S3Server, s3_server


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    """An S3 server with a bucket of the name `bucket`.

    Of a module: while its credentials are in the environment, each call of rasterio makes a session of
    boto3, which takes 20 ms.
    """
    with s3_server("bucket") as running:
        yield running
