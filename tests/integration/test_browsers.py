"""Real browsers, as they come: whom they trust on https, and what they keep over a consent."""

import shutil
from pathlib import Path

import pytest

from harness import browser, firefox, https
from harness.logins import start, wait_ended
from harness.ports import free_port

pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(not shutil.which("certutil"), reason="needs libnss3-tools")]

ACCOUNT = "zenegy/acme"
OTHER = "other.example"


class Chromium(browser.Browser):
    unknown, other_name, not_allowed = (
        "ERR_CERT_AUTHORITY_INVALID", "ERR_CERT_COMMON_NAME_INVALID", "ERR_CERT_INVALID")

    @staticmethod
    def database(home):
        return home / ".pki" / "nssdb"


class Firefox(firefox.Firefox):
    unknown, other_name, not_allowed = (
        "SEC_ERROR_UNKNOWN_ISSUER", "SSL_ERROR_BAD_CERT_DOMAIN", "SEC_ERROR_CERT_NOT_IN_NAME_SPACE")

    @staticmethod
    def database(home):
        """It makes its profile itself, when it is first started."""
        if not firefox.profiles(home):
            Firefox(home).close()
        return firefox.profiles(home)[0]


each_browser = pytest.mark.parametrize("kind", [
    pytest.param(Chromium, marks=pytest.mark.skipif(bool(browser.missing()),
                                                    reason=browser.missing())),
    pytest.param(Firefox, marks=pytest.mark.skipif(bool(firefox.missing()),
                                                   reason=firefox.missing()))])


@pytest.fixture
def home(folder):
    """A home of its own: the test's folder is the home of the command."""
    return Path(folder)


@pytest.fixture
def browse(home, kind):
    """Starts the browser, anew each time, in the home in which `trust install` works."""
    made = []

    def make(**more):
        while made:
            made.pop().close()
        made.append(kind(home, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def consent(api, one):
    """In front of the screen, from the start link to our page."""
    started = start(api, ACCOUNT)
    one.open(started["start_url"])
    one.click("button[value=allow]")
    address = one.wait_address("/done/")
    assert "is connected" in one.text()
    assert wait_ended(api, started["login_id"])["status"] == "done"
    return address


@each_browser
def test_trust(daemon, emulator, api, cli, browse, kind):
    """It refuses, trusts, and refuses again, without a preference or flag about certificates. The
    provider is another site and returns no state, so the consent is found by the cookie alone."""
    https.only_https(daemon, emulator, "state-absent")
    daemon.start()
    start(api, ACCOUNT)
    address = f"https://localhost:{daemon.port}/x"
    assert browse().refusal(address) == kind.unknown

    assert cli.run("trust", "install", "--yes").returncode == 0
    one = browse()
    assert consent(api, one).startswith(f"https://localhost:{daemon.port}/done/")
    # A new certificate of the same authority: nothing has to be trusted anew.
    daemon.restart()
    start(api, ACCOUNT)
    assert one.refusal(address) == "" and one.title == "Nothing here"

    assert cli.run("trust", "remove", "--yes").returncode == 0
    assert browse().refusal(address) == kind.unknown


@each_browser
def test_the_authority_vouches_for_nobody_else(folder, home, browse, kind):
    certificates = folder / "certificates"
    certificates.mkdir()
    authority, pairs = https.issue(certificates, "localhost", OTHER)
    https.trust_in(kind.database(home), authority)
    servers = [https.Server(pair) for pair in pairs]
    try:
        one = browse(names=[OTHER])
        assert one.refusal(f"https://localhost:{servers[0].port}/") == ""
        assert one.text() == "hello"
        assert one.refusal(f"https://{OTHER}:{servers[0].port}/") == kind.other_name
        assert one.refusal(f"https://{OTHER}:{servers[1].port}/") == kind.not_allowed
    finally:
        for server in servers:
            server.close()


@each_browser
def test_consent_over_http(daemon, emulator, api, browse, kind):
    """The provider at 127.0.0.1 is another site than localhost: the cookie is SameSite=Lax."""
    port = free_port()
    provider = emulator("zenegy", "http-redirect", "state-absent")
    daemon.config.callback["listen"] = [f"http://localhost:{port}"]
    daemon.with_provider("zenegy", provider,
                         redirect_uri=f"http://localhost:{port}/callback/zenegy")
    daemon.start()
    assert consent(api, browse()).startswith(f"http://localhost:{port}/done/")
    assert provider.call(api.token(ACCOUNT).ok())[0] == 200
