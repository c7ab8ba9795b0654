"""An address of a storage is understood, and never brings a password into a file."""

import pytest

from patterns_os.errors import UsageError
from patterns_os.registry.storages import read_storage, storage_name


@pytest.mark.parametrize(
    ("url", "kind", "bare"),
    [
        ("postgresql://localhost", "database", True),
        ("postgres://127.0.0.1/", "database", True),
        ("postgresql://localhost/db", "database", False),
        ("postgresql://user:${DATABASE_PASSWORD}@host:5432/db", "database", False),
        ("s3://bucket/path", "file", False),
        ("./files", "file", False),
        ("/srv/files", "file", False),
    ],
)
def test_an_address_says_what_it_holds(url, kind, bare):
    found = read_storage(url)

    assert (found.kind, found.is_bare_local, found.shown) == (kind, bare, url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param(
            "postgresql://ann:hunter2@db.example/shop",
            "error[literal-secret] the address holds a password, which must not stand in patterns.json\n"
            "  hint: patterns secret set DATABASE_PASSWORD, then: "
            "patterns add storage 'postgresql://ann:${DATABASE_PASSWORD}@db.example/shop'",
            id="password",
        ),
        pytest.param(
            "postgresql://db.example/shop?password=hunter2",
            "error[literal-secret] the address holds a password, which must not stand in patterns.json\n"
            "  hint: patterns secret set DATABASE_PASSWORD, then: "
            "patterns add storage 'postgresql://user:${DATABASE_PASSWORD}@db.example/shop'",
            id="password in the query",
        ),
        pytest.param(
            "postgresql://ann:@db.example/shop",
            "error[storage-url] the address has an empty password: the shell has put in the value of a "
            "variable that isn't set\n"
            "  hint: put the address in single quotes, then ${NAME} is read when the app runs",
            id="eaten by the shell",
        ),
        pytest.param(
            "postgre://localhost",
            "error[storage-url] storages at postgre:// are not possible, expected one of postgresql://, "
            "postgres://, s3://, gs://, gcs://, az://, abfs://, file://\n"
            '  hint: did you mean "postgres"?',
            id="scheme",
        ),
        pytest.param(
            "localhost",
            'error[storage-url] "localhost" is no address of a storage, expected postgresql://…, s3://…, '
            "or a folder like ./files\n"
            "  hint: patterns add storage postgresql://localhost",
            id="no address",
        ),
        pytest.param(
            "s3://",
            'error[storage-url] "s3://" names no place\n  hint: s3://bucket/path',
            id="no place",
        ),
        pytest.param(
            "postgresql://[::1",
            "error[storage-url] the address can't be read, expected postgresql://user@host:5432/name",
            id="broken",
        ),
    ],
)
def test_what_can_not_stand_in_the_file_is_refused(url, message):
    with pytest.raises(UsageError) as caught:
        read_storage(url)

    assert str(caught.value) == message


def test_names_are_free():
    assert storage_name("database", set()) == "postgres"
    assert storage_name("file", {"files", "files-2"}) == "files-3"
