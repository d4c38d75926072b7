"""The emulator's own certificate authorities: one for its front door, one for each cluster."""

from __future__ import annotations

import ipaddress
import os
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from aks_wasm.errors import AksWasmError

AUTHORITY_DAYS = 3650
SERVER_DAYS = 397  # the longest that browsers and Apple's libraries accept; made anew at every start
CLIENT_DAYS = 730  # as in AKS's kubeconfigs
CERTIFICATE_FILE = "ca.pem"
KEY_FILE = "ca.key"


@dataclass(frozen=True)
class CertificateAuthority:
    """Signs server and client certificates (EC P-256).

    Attributes:
        certificate: Its own certificate.
        certificate_pem: The same as PEM, for trust bundles and kubeconfigs.
    """

    certificate: x509.Certificate
    certificate_pem: bytes
    _key: ec.EllipticCurvePrivateKey

    @classmethod
    def open(cls, folder: Path, common_name: str) -> CertificateAuthority:
        """Load `ca.pem` and `ca.key` of the folder, or make both (the key readable by the owner only).

        Raises:
            AksWasmError: What lies there is not a certificate and its key.
            OSError: The folder can't be read or written.
        """
        certificate_file, key_file = folder / CERTIFICATE_FILE, folder / KEY_FILE
        if not (certificate_file.exists() and key_file.exists()):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            key = ec.generate_private_key(ec.SECP256R1())
            made = cls._self_signed(common_name, key)
            write_private(key_file, _key_pem(key))
            write_private(certificate_file, made.certificate_pem)
            return made
        try:
            pem = certificate_file.read_bytes()
            loaded = load_pem_private_key(key_file.read_bytes(), None)
            certificate = x509.load_pem_x509_certificate(pem)
        except ValueError as error:
            raise AksWasmError(
                f"`{certificate_file}` and `{KEY_FILE}` beside it are not a certificate and its key",
                code="StateBroken",
                hint="delete both; the next start makes new ones",
            ) from error
        return cls(certificate, pem, cast(ec.EllipticCurvePrivateKey, loaded))  # nothing else is written there

    def server_context(self, hosts: list[str], *, client_ca: bool = False) -> ssl.SSLContext:
        """Return a TLS context with a fresh certificate for the hosts (names and IP addresses).

        Args:
            hosts: What clients may call the server.
            client_ca: Also take client certificates signed by this authority, without demanding one.
        """
        alternatives = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        key, certificate = self._issue(_name(hosts[0]), SERVER_DAYS, ExtendedKeyUsageOID.SERVER_AUTH, alternatives)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        # The ssl module reads certificates from files only.
        with tempfile.NamedTemporaryFile(suffix=".pem") as chain:
            chain.write(_key_pem(key) + certificate.public_bytes(Encoding.PEM))
            chain.flush()
            context.load_cert_chain(chain.name)
        if client_ca:
            context.load_verify_locations(cadata=self.certificate_pem.decode())
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def client_certificate(self, common_name: str, organizations: list[str]) -> tuple[bytes, bytes]:
        """Return (certificate, key) as PEM; Kubernetes reads user and groups from name and organizations."""
        subject = _name(common_name, organizations)
        key, certificate = self._issue(subject, CLIENT_DAYS, ExtendedKeyUsageOID.CLIENT_AUTH, None)
        return certificate.public_bytes(Encoding.PEM), _key_pem(key)

    @classmethod
    def _self_signed(cls, common_name: str, key: ec.EllipticCurvePrivateKey) -> CertificateAuthority:
        name = _name(common_name)
        certificate = (
            _builder(name, name, key, AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, certificate.public_bytes(Encoding.PEM), key)

    def _issue(
        self,
        subject: x509.Name,
        days: int,
        usage: x509.ObjectIdentifier,
        alternatives: x509.SubjectAlternativeName | None,
    ) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP256R1())
        # Python 3.13 verifies strictly: without the key identifiers and usages it refuses the chain.
        builder = (
            _builder(subject, self.certificate.subject, key, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        return key, builder.sign(self._key, hashes.SHA256())


def write_private(path: Path, content: bytes) -> None:
    """Put a file in place in one move, readable and writable by its owner only (mode 0600).

    Raises:
        OSError: The folder can't be written, or the disk is full; what was there stays then.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _name(common_name: str, organizations: list[str] | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, value) for value in organizations or []]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clients whose clock is a little behind
        .not_valid_after(now + timedelta(days=days))
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
