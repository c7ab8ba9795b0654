"""Twilio's signatures: over the address that it posts to and the fields of the form.

A body that is no form is signed by its SHA-256, which the address has as `bodySHA256`. The address is the one
that Twilio was given, so a proxy before us must be known: by `url` in `verify`, else by the headers that it adds.
"""

import base64
import hmac
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

HEADER = "X-Twilio-Signature"
_FORM = "application/x-www-form-urlencoded"
_PORTS = {"https": 443, "http": 80}


def verify(secret: str, body: bytes, headers: Mapping[str, str], addresses: Sequence[str]) -> str | None:
    """Say why a request does not come from Twilio, or give `None` if it does.

    Args:
        secret: The auth token of the account.
        body: The bytes as they came.
        headers: Names in lower case.
        addresses: The addresses that may have been signed.
    """
    given = headers.get(HEADER.lower())
    if given is None:
        return f'header "{HEADER}" is missing'
    fields = _fields(body, headers.get("content-type", _FORM))
    if fields is None:
        return _verify_hash(body, secret, given, addresses)
    # All are compared, whichever fits: the time taken tells nothing.
    fits = [_same(given, _signature(secret, address, fields)) for address in addresses]
    return None if any(fits) else _unfit("the address and the form")


def sign(secret: str, body: bytes, address: str) -> dict[str, str]:
    """Give the headers that Twilio would add to a form that it posts to the address."""
    return {HEADER: _signature(secret, address, _fields(body, _FORM) or [])}


def form(values: Mapping[str, Any]) -> bytes:
    """Give a form with these fields, as Twilio posts it."""
    return urlencode({name: str(value) for name, value in values.items()}).encode()


def addresses(declared: str | None, headers: Mapping[str, str], target: str) -> list[str]:
    """Give the addresses that may have been signed: the declared one, else what the headers tell.

    Args:
        declared: The address that Twilio was given, without the query.
        headers: Names in lower case.
        target: Path and query of the request.
    """
    query = target.partition("?")[2]
    if declared is not None:
        whole = declared if "?" in declared or not query else f"{declared}?{query}"
        return list(_with_ports(whole))
    host = headers.get("x-forwarded-host") or headers.get("host") or "localhost"
    proto = (headers.get("x-forwarded-proto") or "").split(",")[0].strip()
    schemes = [proto] if proto in _PORTS else ["https", "http"]
    return [address for scheme in schemes for address in _with_ports(f"{scheme}://{host}{target}")]


def _with_ports(address: str) -> Iterator[str]:
    """Give the address with the port of its scheme and without: Twilio signs either."""
    parts = urlsplit(address)
    yield address
    port = _PORTS.get(parts.scheme)
    if port is None:
        return
    if parts.netloc.endswith(f":{port}"):
        yield parts._replace(netloc=parts.netloc.removesuffix(f":{port}")).geturl()
    elif ":" not in parts.netloc.rpartition("@")[2].rpartition("]")[2]:
        yield parts._replace(netloc=f"{parts.netloc}:{port}").geturl()


def _verify_hash(body: bytes, secret: str, given: str, addresses: Sequence[str]) -> str | None:
    hashes = parse_qs(urlsplit(addresses[0]).query).get("bodySHA256")
    if not hashes:
        return 'the body is no form, and the address has no "bodySHA256"'
    fits = [_same(given, _signature(secret, address, ())) for address in addresses]
    if not any(fits):
        return _unfit("the address")
    return (
        None
        if _same(hashes[0].lower(), sha256(body).hexdigest())
        else 'the "bodySHA256" does not fit the body'
    )


def _signature(secret: str, address: str, fields: Sequence[tuple[str, str]]) -> str:
    # A value that comes twice under one name is signed once.
    text = address + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(
        hmac.digest(secret.encode(), text.encode("utf-8", "surrogatepass"), "sha1")
    ).decode()


def _fields(body: bytes, content_type: str) -> list[tuple[str, str]] | None:
    """Give the fields of a form, `None` for all else."""
    if content_type.partition(";")[0].strip().lower() != _FORM:
        return None
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        return None


def _unfit(what: str) -> str:
    return f'the signature in header "{HEADER}" does not fit {what}'


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))
