"""Addresses of object storage and errors of its servers: one line with a cure, without secrets."""

from __future__ import annotations

import pytest
from s3_server import KEY, SECRET, S3Server

from geochange.errors import OutputError
from geochange.storage import object_client
from geochange.storage.object_client import (
    as_storage_error,
    checked_url,
    describe,
    is_object_url,
    version_of_object,
)
from geochange.storage.object_work import ObjectWork
from geochange.storage.work_store import StorageError


def test_addresses_of_object_storage_are_known() -> None:
    assert all(map(is_object_url, ("s3://b/k", "gs://b/k", "az://c/k", "S3://b/k")))
    assert not any(map(is_object_url, ("https://x.org/k", "s3:/b/k", "/vsis3/b/k", "b/k", "s3")))


def test_an_address_is_written_in_one_way() -> None:
    assert checked_url("--work", "S3://bucket//a//b/") == "s3://bucket/a/b"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://x.org/a", "is no object storage; give an address with s3://, gs://, az://"),
        ("s3://key:hush@bucket/a", "holds more than bucket and key; set credentials in the"),
        ("az://c/a?sig=hush", "holds more than bucket and key"),
        ("s3://bucket/a#hush", "holds more than bucket and key"),
        ("https://me:hush@x.org/a?sig=hush", "is no object storage"),
        ("s3://bucket", "write it as s3://BUCKET/FOLDER/NAME"),
        ("s3:///a", "write it as"),
        ("s3://bucket/../a", "write it as"),
        ("s3://bucket/a\nb", "write it as"),
        ("s3://bucket/\u00e4", "write it as"),
    ],
)
def test_other_addresses_are_refused_in_a_line(address: str, said: str) -> None:
    with pytest.raises(OutputError, match=said) as caught:
        checked_url("--work", address)
    text = str(caught.value)
    assert text.startswith("--work ") and "\n" not in text and "hush" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Error performing PUT http://169.254.169.254/latest/api/token in 1s",
            "no credentials; set",
        ),
        ("404 Not Found: <Code>NoSuchBucket</Code>", "there is no such bucket; create it"),
        (
            "returned non-2xx status code: 403 Forbidden: ",
            "access is denied; check the credentials",
        ),
        ("<Code>SignatureDoesNotMatch</Code>", "access is denied"),
        ("GET https://x/k?sig=hush&se=1: 503 Slow\nDown Debug source: hush", r"\(GET https://x/k"),
    ],
)
def test_errors_of_servers_have_a_cure_and_no_secret(text: str, said: str) -> None:
    with (
        pytest.raises(StorageError, match=said) as caught,
        as_storage_error("az://c/k"),
    ):
        raise OSError(text)
    told = str(caught.value)
    assert told.startswith("az://c/k: ") and "\n" not in told and "hush" not in told
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_variables_are_those_of_the_storage() -> None:
    denied = OSError("403 Forbidden")
    found = [describe(f"{kind}://b/k", denied) for kind in ("s3", "gs", "az")]
    names = zip(found, ("AWS_...", "GOOGLE_...", "AZURE_..."), strict=True)
    assert all(name in text for text, name in names)


def test_the_version_of_an_object_changes_with_it(server: S3Server) -> None:
    store = ObjectWork("s3://bucket/version")
    assert version_of_object("s3://bucket/version/a") == []
    store.write("a", b"one")
    first = version_of_object("s3://bucket/version/a")
    store.write("a", b"two")
    assert first[0] == 3 and first != version_of_object("s3://bucket/version/a")


def test_a_server_that_refuses_is_no_missing_value(server: S3Server) -> None:
    store = ObjectWork("s3://bucket/refused")
    with server.failing(lambda call: "denied"):
        for ask in (store.read, store.stamp):
            with pytest.raises(StorageError, match="access is denied"):
                ask("a")
    with pytest.raises(StorageError, match="no such bucket"):
        ObjectWork("s3://nobucket/a").read("a")
    with pytest.raises(StorageError) as caught:
        ObjectWork("s3://nobucket/a").write("a", b"x")
    assert KEY not in str(caught.value) and SECRET not in str(caught.value)


def test_an_object_that_gdal_alone_may_read_has_no_version(server: S3Server) -> None:
    ObjectWork("s3://bucket/version").write("b", b"one")
    with server.failing(lambda call: "denied"):
        assert version_of_object("s3://bucket/version/b") == []
    assert version_of_object("s3://nobucket/version/b") == []


def test_public_buckets_are_read_without_credentials(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ObjectWork("s3://bucket/public").write("a", b"one")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setitem(object_client.RETRIES, "max_retries", 0)
    object_client._client.cache_clear()
    server.calls.clear()
    assert version_of_object("s3://bucket/public/a") == [] and not server.calls
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    object_client._client.cache_clear()
    version_of_object("s3://bucket/public/a")
    assert [call.kind for call in server.calls] == ["HEAD"]
    object_client._client.cache_clear()
