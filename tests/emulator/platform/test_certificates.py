from __future__ import annotations

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from aks_wasm.emulator.certificates import CertificateAuthority, write_private
from aks_wasm.errors import AksWasmError

STRICT = getattr(ssl, "VERIFY_X509_STRICT", 0)


def test_an_authority_is_the_same_after_a_restart(tmp_path):
    first = CertificateAuthority.open(tmp_path / "new", "ca")
    again = CertificateAuthority.open(tmp_path / "new", "ca")
    assert again.certificate_pem == first.certificate_pem
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "new").iterdir()} == {0o600}


def test_half_of_an_authority_is_made_anew(tmp_path):
    first = CertificateAuthority.open(tmp_path, "ca")
    (tmp_path / "ca.pem").unlink()
    assert CertificateAuthority.open(tmp_path, "ca").certificate_pem != first.certificate_pem


def test_a_broken_authority_says_what_to_delete(tmp_path):
    CertificateAuthority.open(tmp_path, "ca")
    (tmp_path / "ca.pem").write_text("torn")
    with pytest.raises(AksWasmError, match="are not a certificate") as caught:
        CertificateAuthority.open(tmp_path, "ca")
    assert "delete both" in caught.value.hint


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_strict_client_that_trusts_the_authority_trusts_the_server(tmp_path, host):
    authority = CertificateAuthority.open(tmp_path, "ca")
    client = _client_context(authority)
    client.verify_flags |= STRICT
    assert _handshake(authority.server_context(["localhost", "127.0.0.1"]), client, host) is None


def test_a_host_that_is_not_in_the_certificate_is_not_trusted(tmp_path):
    authority = CertificateAuthority.open(tmp_path, "ca")
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(authority.server_context(["localhost"]), _client_context(authority), "example.com")


def test_the_server_reads_user_and_groups_from_a_client_certificate(tmp_path):
    authority = CertificateAuthority.open(tmp_path, "ca")
    client = _client_context(authority)
    _present(client, tmp_path, *authority.client_certificate("masterclient", ["system:masters"]))
    seen = _handshake(authority.server_context(["localhost"], client_ca=True), client, "localhost")
    subject = x509.load_der_x509_certificate(seen).subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "masterclient"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:masters"


def test_a_client_without_certificate_is_let_in_unknown(tmp_path):
    authority = CertificateAuthority.open(tmp_path, "ca")
    context = authority.server_context(["localhost"], client_ca=True)
    assert _handshake(context, _client_context(authority), "localhost") is None


def test_a_client_certificate_of_another_authority_is_refused(tmp_path):
    authority = CertificateAuthority.open(tmp_path / "one", "ca")
    stranger = CertificateAuthority.open(tmp_path / "other", "ca")
    client = _client_context(authority)
    _present(client, tmp_path, *stranger.client_certificate("masterclient", ["system:masters"]))
    with pytest.raises(ssl.SSLError):
        _handshake(authority.server_context(["localhost"], client_ca=True), client, "localhost")


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path):
    target = tmp_path / "taken"
    target.mkdir()
    with pytest.raises(OSError):
        write_private(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def _client_context(authority: CertificateAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate_pem.decode())


def _present(context: ssl.SSLContext, folder: Path, certificate: bytes, key: bytes) -> None:
    chain = folder / "client.pem"
    chain.write_bytes(key + certificate)
    context.load_cert_chain(chain)


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> bytes | None:
    """Shake hands over a socket pair; return the client's certificate as the server saw it."""
    ours, theirs = socket.socketpair()
    seen: list[bytes | None] = []

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as connection:
                seen.append(connection.getpeercert(binary_form=True))
                connection.sendall(b"!")
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=host) as connection:
            connection.recv(1)
    finally:
        ours.close()
        thread.join()
    return seen[0]
