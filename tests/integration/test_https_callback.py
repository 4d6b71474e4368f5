"""The callback over https, for providers that accept no other redirect URI."""

import hashlib
import http.server
import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time

import pytest

from harness import https
from harness.binaries import DAEMON
from harness.cli import Cli
from harness.logins import log_in, start, wait_ended
from harness.other_user import as_user
from harness.person import Person
from harness.ports import free_port
from harness.raw import get

ACCOUNT = "zenegy/acme"
STRANGER = 12345

needs_certutil = pytest.mark.skipif(not shutil.which("certutil"), reason="needs libnss3-tools")


@pytest.fixture
def served(daemon, emulator):
    """A started daemon with a certificate of its own authority."""
    provider = https.only_https(daemon, emulator)
    daemon.start()
    return provider


@pytest.fixture
def authority(served, api, folder):
    path = folder / "authority.pem"
    path.write_text(api.authority().ok()["certificate"], encoding="utf-8")
    return path


# ---------------------------------------------------------------------------------------- logins


def check_login(api, served, context):
    person = Person(context)
    login, page = log_in(api, person, ACCOUNT)
    assert (login["status"], page.status) == ("done", 200)
    assert person.hops[0].startswith("https://localhost:")
    assert all(cookie.secure for cookie in person.cookies)
    assert served.call(api.token(ACCOUNT).ok())[0] == 200
    return person


def test_login_over_https(served, api, authority):
    person = check_login(api, served, https.trust(authority))
    assert {cookie.name[:9] for cookie in person.cookies} == {"tb_login_", "__Secure-"}


def test_the_same_browser_may_open_it_again(served, api, authority):
    person, other = Person(https.trust(authority)), Person(https.trust(authority))
    link = start(api, ACCOUNT)["start_url"]
    assert person.fetch(link).status == 303
    assert person.fetch(link).status == 303
    assert other.fetch(link).status == 409


def test_http_and_https_side_by_side(daemon, emulator, plain, folder):
    provider = https.only_https(daemon, emulator)
    second = free_port()
    daemon.config.callback["listen"].append(f"http://127.0.0.1:{second}")
    daemon.with_provider("plain", plain, redirect_uri=f"http://127.0.0.1:{second}/callback/plain")
    daemon.start()
    path = folder / "authority.pem"
    path.write_text(daemon.api.authority().ok()["certificate"], encoding="utf-8")
    check_login(daemon.api, provider, https.trust(path))
    login, page = log_in(daemon.api, Person(), "plain/acme")
    assert (login["status"], page.status) == ("done", 200)
    # The https login's redirect is not served without TLS.
    assert get(second, "/callback/zenegy?code=x&state=y").status == 404


def test_health(served, daemon, api):
    start(api, ACCOUNT)
    [listener] = api.health().ok()["callback"]
    assert listener == {"listen": f"https://localhost:{daemon.port}", "bound": True}


def test_hosts(served, daemon, api, authority):
    start(api, ACCOUNT)
    person = Person(https.trust(authority))
    assert person.fetch(f"https://localhost:{daemon.port}/x").status == 404
    assert person.fetch(f"https://127.0.0.1:{daemon.port}/x").status == 421


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


# ----------------------------------------------------------------------------------- the authority


def test_authority(served, daemon, api, folder, schema, authority):
    facts = api.authority().ok()
    text = subprocess.run(["openssl", "x509", "-in", authority, "-noout", "-fingerprint", "-sha256",
                           "-ext", "nameConstraints"], check=True, capture_output=True, text=True)
    assert facts["fingerprint"] == text.stdout.split("=")[1].split()[0].replace(":", "").lower()
    assert "critical" in text.stdout and "DNS:localhost" in text.stdout
    # It is kept, sealed.
    daemon.restart()
    assert api.authority().ok() == facts
    for path in daemon.state.iterdir():
        assert b"PRIVATE KEY" not in path.read_bytes()
    stranger = as_user(type(api), STRANGER)(api.socket_path, schema)
    os.chmod(folder, 0o755)
    os.chmod(daemon.socket, 0o666)
    assert stranger.authority().status == 403
    assert api.request("GET", "/v1/authority?x=1").status == 400
    assert api.request("POST", "/v1/authority").status == 405


def test_no_authority(broker, api, cli):
    assert api.authority().error == "not_found"
    done = cli.run("trust", "status")
    assert done.returncode == 1 and "no certificate authority" in done.stderr


# ------------------------------------------------------------------------- certificates from files


@pytest.fixture
def pair(folder):
    return https.self_signed(folder)


def test_login_with_files(daemon, emulator, api, pair):
    provider = https.only_https(daemon, emulator, certificate=[str(path) for path in pair])
    daemon.start()
    check_login(api, provider, https.trust(pair[0]))
    assert api.authority().error == "not_found"


def test_renewed_files_are_picked_up(daemon, emulator, api, folder, pair):
    https.only_https(daemon, emulator, certificate=[str(path) for path in pair])
    daemon.start()
    link = start(api, ACCOUNT)["start_url"]
    before = https.served(daemon.port, https.trust(pair[0]))
    for new, old in zip(https.self_signed(folder, "new"), pair):
        new.replace(old)
    assert https.served(daemon.port, ssl._create_unverified_context()) == before
    daemon.reload()
    assert https.served(daemon.port, https.trust(pair[0])) != before
    # The login that was under way goes on.
    assert Person(https.trust(pair[0])).fetch(link).status == 303


@pytest.mark.parametrize("fault, says", [
    ("missing", "cert.pem"), ("other key", "does not belong"), ("no key", "no PEM key"),
    ("open key", "chmod 600"), ("no certificate", "no PEM certificate")])
def test_bad_files(daemon, emulator, api, folder, pair, fault, says):
    """Refused at the start; at a reload the old ones stay."""
    https.only_https(daemon, emulator, certificate=[str(path) for path in pair])
    daemon.start()
    start(api, ACCOUNT)
    before = https.served(daemon.port, https.trust(pair[0]))
    good = folder / "good.pem"
    shutil.copy(pair[0], good)
    if fault == "missing":
        pair[0].unlink()
    elif fault == "other key":
        shutil.copy(https.self_signed(folder, "other")[1], pair[1])
    elif fault == "no key":
        pair[1].write_text("no key\n", encoding="utf-8")
    elif fault == "open key":
        pair[1].chmod(0o644)
    else:
        pair[0].write_text("nothing\n", encoding="utf-8")
    daemon.reload()
    daemon.wait_log("the configuration stays as it was: callback certificate")
    assert https.served(daemon.port, https.trust(good)) == before
    daemon.stop()
    assert says in daemon.refuses_to_start()


# ----------------------------------------------------------------------------------- who trusts it


@needs_certutil
def test_trust_and_undo(served, folder, cli, api):
    profile = folder / ".mozilla" / "firefox" / "abc.default"
    profile.mkdir(parents=True)
    subprocess.run(["certutil", "-N", "--empty-password", "-d", f"sql:{profile}"], check=True)
    (folder / ".mozilla" / "firefox" / "Crash Reports").mkdir()
    places = [f"sql:{folder}/.pki/nssdb", f"sql:{profile}"]
    fingerprint = api.authority().ok()["fingerprint"]

    def names(place):
        return subprocess.run(["certutil", "-L", "-d", place], check=True, capture_output=True,
                              text=True).stdout

    assert cli.run("trust", "status").returncode == 1
    asked = cli.run("trust", "install", stdin=subprocess.DEVNULL)
    assert asked.returncode == 1 and "--yes" in asked.stderr and fingerprint in asked.stderr
    assert not (folder / ".pki").exists()

    done = cli.run("trust", "install", "--yes")
    assert done.returncode == 0 and str(profile) in done.stderr, done.stderr
    assert all(fingerprint in names(place) and "C,," in names(place) for place in places)
    assert cli.run("trust", "status").returncode == 0
    assert "already" in cli.run("trust", "install", "--yes").stderr

    other = "0" * 64
    assert "nowhere" in cli.run("trust", "remove", "--yes", "--fingerprint", other).stderr
    assert cli.run("trust", "remove", "--yes").returncode == 0
    assert not any(fingerprint in names(place) for place in places)
    assert "nowhere" in cli.run("trust", "remove", "--yes").stderr


def test_certutil_is_missing(served, cli, folder):
    done = cli.run("trust", "install", "--yes", environment={"PATH": str(folder)})
    assert done.returncode == 1 and "libnss3-tools" in done.stderr
    assert not (folder / ".pki").exists()


def test_export(served, api, cli):
    assert cli.run("trust", "export").stdout == api.authority().ok()["certificate"]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("update-ca-certificates"),
                    reason="needs root and ca-certificates")
def test_system_store(served, daemon, folder, cli, authority):
    """In a mount namespace with copies of the system's folders: the machine keeps its own."""
    for name, place in (("etc", "/etc/ssl/certs"), ("local", "/usr/local/share/ca-certificates")):
        shutil.copytree(place, folder / name, symlinks=True)
    trust = f"{cli_path()} --socket {daemon.socket} trust"
    script = f"""set -e
        PATH={DAEMON.parent}:$PATH
        mount --bind {folder}/etc /etc/ssl/certs
        mount --bind {folder}/local /usr/local/share/ca-certificates
        {trust} install --system --yes
        {trust} status --system
        {leaf_check(daemon)}
        {trust} remove --system --yes
        ! {trust} status --system
        ! {leaf_check(daemon)}"""
    start(daemon.api, ACCOUNT)
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True,
                          check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list((folder / "local").glob("tokenbroker-*"))


def cli_path():
    from harness.binaries import command  # pylint: disable=import-outside-toplevel
    return command()


def leaf_check(daemon):
    return f"curl -sS -o /dev/null https://localhost:{daemon.port}/x"


def check_authority(text):
    return subprocess.run([str(DAEMON), "--check-authority"], input=text, capture_output=True,
                          text=True, check=False, timeout=60, env={})


def test_the_daemon_knows_its_authorities(served, api):
    ours = api.authority().ok()
    done = check_authority(ours["certificate"])
    assert (done.returncode, done.stderr) == (0, "")
    day = time.strftime("%Y-%m-%d", time.gmtime(ours["expires_at"]))
    assert done.stdout == \
        f"fingerprint {ours['fingerprint']}\nuntil {day}\nsubject {ours['subject']}\n"
    for text in ("", "nonsense", ours["certificate"] * 2, ours["certificate"] + "\n" * 70000):
        done = check_authority(text)
        assert (done.returncode, done.stdout) == (1, "") and done.stderr.startswith("it is "), text


# ------------------------------------------------------------------- a program that poses as a broker


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answer = json.dumps(self.server.answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def address_string(self):
        return "unix"

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@pytest.fixture
def impostor(folder):
    """impostor(certificate, fingerprint): the command, with a socket that answers so."""
    path = folder / "impostor"
    server = socketserver.UnixStreamServer(str(path), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def pose(certificate, fingerprint):
        server.answer = {"certificate": certificate, "fingerprint": fingerprint,
                         "subject": "CN=tokenbroker on this computer", "expires_at": 2000000000000}
        return Cli(path, folder)

    yield pose
    server.shutdown()
    server.server_close()


def own_authority(folder, *extensions):
    """(the certificate of an authority of anybody's own, its fingerprint)."""
    path, config = folder / "own.pem", folder / "own.conf"
    lines = ["[req]", "distinguished_name = name", "x509_extensions = more", "[name]", "[more]",
             "subjectKeyIdentifier = hash", *extensions]
    config.write_text("\n".join(lines) + "\n", encoding="ascii")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-subj",
                    "/O=tokenbroker/CN=tokenbroker on this computer 01234567", "-config",
                    str(config), "-out", str(path)], check=True, capture_output=True)
    pem = path.read_text(encoding="ascii")
    return pem, hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


_SIGNS = "keyUsage = critical,keyCertSign\nbasicConstraints = critical,CA:TRUE,pathlen:0"
_HERE = "permitted;DNS:localhost,permitted;IP:127.0.0.0/255.0.0.0,permitted;IP:::1/" + \
    ":".join(["ffff"] * 8)


@needs_certutil
@pytest.mark.parametrize("extensions", [
    [], [_SIGNS], [_SIGNS, f"nameConstraints = {_HERE}"],
    [_SIGNS, f"nameConstraints = critical,{_HERE},permitted;DNS:example.com"],
    [_SIGNS, "nameConstraints = critical,permitted;DNS:localhost"]],
    ids=["no authority", "for any name", "not critical", "a name more", "any address"])
@pytest.mark.parametrize("action", [["install", "--yes"], ["export"]])
def test_an_authority_for_more_than_this_computer(impostor, folder, extensions, action):
    done = impostor(*own_authority(folder, *extensions)).run("trust", *action)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is no authority for this computer alone" in done.stderr
    assert "vouches" not in done.stderr and not (folder / ".pki").exists()


@needs_certutil
def test_an_authority_that_comes_with_another(impostor, folder, served, api):
    honest = api.authority().ok()
    other, _ = own_authority(folder)
    for certificate in (honest["certificate"] + other, other + honest["certificate"]):
        done = impostor(certificate, honest["fingerprint"]).run("trust", "install", "--yes")
        assert done.returncode == 1 and "more than exactly one certificate" in done.stderr
    done = impostor(honest["certificate"], "ab" * 32).run("trust", "install", "--yes")
    assert done.returncode == 1 and "is not the one that it says" in done.stderr
    assert not (folder / ".pki").exists()
    done = impostor(honest["certificate"], honest["fingerprint"]).run("trust", "install", "--yes")
    assert done.returncode == 0 and honest["subject"] in done.stderr, done.stderr
