"""DICOM over TLS (PS3.15 B.12): contexts for both sides, renewed when their files change."""

import hashlib
import logging
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.worklist.models import Device

logger = logging.getLogger(__name__)
# TLS 1.2 as BCP 195 (RFC 9325) has it: forward secrecy and authenticated encryption only.
# The suites of TLS 1.3 are not chosen here, all of them are as good.
CIPHERS = "ECDHE+AESGCM"
NONE, WANTED, REQUIRED = "none", "wanted", "required"
_CLIENTS = {NONE: ssl.CERT_NONE, WANTED: ssl.CERT_OPTIONAL, REQUIRED: ssl.CERT_REQUIRED}


class TLSSettingsError(Exception):
    """The files or settings for DICOM TLS cannot be used; says which."""


@dataclass(frozen=True)
class Files:
    """The files of TLS, in PEM; an empty path is one that is not set."""

    certificate: str
    key: str
    authorities: str

    def stamps(self) -> tuple[tuple[int, int, int] | None, ...]:
        """What changes when a file is replaced or rewritten."""
        return tuple(_stamp(path) for path in (self.certificate, self.key, self.authorities))


class _Renewed:
    """A context made from files; made again when they have changed and can be used."""

    def __init__(self, make: Callable[[Files], ssl.SSLContext]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: ssl.SSLContext | None = None
        self._seen: object = None

    def context(self) -> ssl.SSLContext:
        """Raises TLSSettingsError while there never was one that could be used."""
        files = _files()
        seen = (files, files.stamps(), settings.OPENPACS_DICOM_TLS_CLIENTS)
        with self._lock:
            if self._made is None or seen != self._seen:
                self._made = self._renew(files)
                self._seen = seen
            return self._made

    def _renew(self, files: Files) -> ssl.SSLContext:
        try:
            made = self._make(files)
        except TLSSettingsError as error:
            # Half of a renewal, most likely: the other file is still to come.
            if self._made is None:
                raise
            logger.warning("the TLS certificate is not renewed: %s", error)
            return self._made
        if self._made is not None:
            logger.info("the TLS certificate has been renewed")
        return made


def server_context() -> ssl.SSLContext:
    """For connections of devices to us; raises TLSSettingsError."""
    return _server.context()


def client_context() -> ssl.SSLContext:
    """For connections of ours to devices; raises TLSSettingsError.

    A certificate has to come from an authority of OPENPACS_DICOM_TLS_CA; whose name it bears is
    then left open, as devices are called by their addresses. Without such authorities the ones
    of the system count, for certificates that bear the device's host name.
    """
    return _client.context()


def check_settings() -> None:
    """Raises TLSSettingsError where the TLS port could not be served."""
    if settings.OPENPACS_DICOM_TLS_CLIENTS not in _CLIENTS:
        raise TLSSettingsError("OPENPACS_DICOM_TLS_CLIENTS is none, wanted or required")
    server_context()


def is_pinned(device: Device, certificate: bytes | None) -> bool:
    """Is this (DER) the certificate the device has to show? True where it need not show one."""
    pinned = device.certificate_sha256.replace(":", "").lower()
    return not pinned or (
        certificate is not None and hashlib.sha256(certificate).hexdigest() == pinned
    )


def _files() -> Files:
    return Files(
        settings.OPENPACS_DICOM_TLS_CERTIFICATE,
        settings.OPENPACS_DICOM_TLS_KEY,
        settings.OPENPACS_DICOM_TLS_CA,
    )


def _make_server(files: Files) -> ssl.SSLContext:
    if not files.certificate:
        raise TLSSettingsError("OPENPACS_DICOM_TLS_CERTIFICATE is not set")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    _load_own(context, files)
    clients = settings.OPENPACS_DICOM_TLS_CLIENTS
    if clients != NONE:
        _load_authorities(context, files)
    context.verify_mode = _CLIENTS.get(clients, ssl.CERT_REQUIRED)
    return context


def _make_client(files: Files) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    if files.certificate:
        _load_own(context, files)
    if files.authorities:
        context.check_hostname = False
        _load_authorities(context, files)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    # CRIME; and the client may not make us compute keys again and again.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


def _load_own(context: ssl.SSLContext, files: Files) -> None:
    try:
        # Without a passphrase given here OpenSSL would ask for one on the terminal.
        context.load_cert_chain(files.certificate, files.key or None, password=lambda: "")
    except (OSError, ValueError) as error:
        raise TLSSettingsError(f"certificate or key cannot be used: {error}") from None


def _load_authorities(context: ssl.SSLContext, files: Files) -> None:
    if not files.authorities:
        raise TLSSettingsError("OPENPACS_DICOM_TLS_CA is not set: whose certificates count?")
    try:
        context.load_verify_locations(files.authorities)
    except OSError as error:
        raise TLSSettingsError(f"the authorities cannot be used: {error}") from None


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


_server, _client = _Renewed(_make_server), _Renewed(_make_client)
