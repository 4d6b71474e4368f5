"""The callback over https, for providers that accept no other redirect URI."""

import socket
import ssl
import subprocess

import pytest

from harness.logins import log_in
from harness.person import Person
from harness.raw import get

ACCOUNT = "zenegy/acme"


@pytest.fixture
def certificate(folder):
    """A certificate for localhost that is its own authority: (certificate, key)."""
    pair = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", pair[1], "-out", pair[0], "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return pair


@pytest.fixture
def served(daemon, emulator, certificate):
    """A started daemon with Zenegy as it really is: the redirect must be https."""
    provider = emulator("zenegy")
    daemon.config.callback = {"listen": [f"https://localhost:{daemon.port}"],
                              "certificate": [str(path) for path in certificate]}
    redirect = f"https://localhost:{daemon.port}/callback/zenegy"
    daemon.with_provider("zenegy", provider, redirect_uri=redirect).start()
    reply = daemon.api.login(ACCOUNT)
    if reply.status == 400 and "does not serve yet" in reply.text:
        pytest.skip("this daemon's callback does not serve https yet")
    return provider


def test_login_over_https(served, api, certificate):
    person = Person(ssl.create_default_context(cafile=certificate[0]))
    login, page = log_in(api, person, ACCOUNT)
    assert (login["status"], page.status) == ("done", 200)
    assert person.hops[0].startswith("https://localhost:")
    assert all(cookie.secure for cookie in person.cookies)
    assert served.call(api.token(ACCOUNT).ok())[0] == 200


def test_plain_http_on_the_https_port(served, daemon, api):
    api.login(ACCOUNT).ok()
    try:
        reply = get(daemon.port, "/start/x")
    except ConnectionError:
        reply = None
    assert reply is None or reply.status >= 400
    assert api.health().status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(served, daemon, api, version):
    api.login(ACCOUNT).ok()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", daemon.port)) as plain:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(plain, server_hostname="localhost")
