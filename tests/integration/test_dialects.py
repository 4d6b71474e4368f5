"""Ways to get a token that no provider of the presets has alone: the client's own grant, keys
instead of a shared secret, resource indicators. The provider's ledger says what really came."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.keys import Keys, make_key
from harness.ledger import fingerprint
from harness.logins import log_in

# The client's own grant (RFC 6749 4.4)

OWN = [("plain", ("clients-own",), "client_credentials", {"scope": "read write"}),
       ("gusto", (), "system_access", {"token_params": ["grant_type=system_access"]})]
each_own = pytest.mark.parametrize("choice", OWN, ids=lambda choice: choice[2])


@pytest.fixture
def own(daemon, emulator):
    """A started daemon with such a provider, which is returned."""
    def begin(choice=OWN[0], lifetime=3600, **overrides):
        name, variants, _, keys = choice
        one = emulator(name, *variants)
        one.configure(lifetime=lifetime)
        wanted = {"grant": "client_credentials", "redirect_uri": None} | keys | overrides
        daemon.with_provider(name, one, **wanted).start()
        return one
    return begin


@each_own
def test_no_login_is_needed(own, api, choice):
    """The first request makes the account; no refresh token is asked for, kept or sent."""
    provider = own(choice)
    account = f"{choice[0]}/system"
    assert api.account(account).status == 404
    token = api.token(account).ok()
    [issued] = provider.ledger.lines(choice[2], outcome="accepted")
    assert issued["access"] == fingerprint(token["access_token"])
    assert provider.call(token)[0] == 200
    found = api.account(account).ok()
    assert (found["state"], found["has_refresh_token"]) == ("active", False)
    assert found["next_refresh_at"] < token["expires_at"]
    assert api.token(account).ok()["access_token"] == token["access_token"]
    [request] = provider.ledger.token_requests()
    assert not {"refresh_token", "code", "redirect_uri"} & set(request["parameters"])


@pytest.mark.slow
@each_own
def test_own_grant_is_renewed_and_survives(own, api, daemon, choice):
    """Proactively, also after a crash."""
    provider = own(choice, lifetime=4)
    account = f"{choice[0]}/system"
    api.token(account).ok()
    provider.ledger.wait_for(choice[2], 3, outcome="accepted")
    daemon.kill()
    number = provider.ledger.count(choice[2], outcome="accepted")
    daemon.start()
    provider.ledger.wait_for(choice[2], number + 1, outcome="accepted")
    assert provider.call(api.patient_token(account))[0] == 200
    assert not provider.ledger.lines(choice[2], outcome="refused")


def test_own_grant_one_request_for_many(own, api):
    provider = own()
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: api.token("plain/a").ok()["access_token"], range(16)))
    assert len(set(replies)) == 1 and len(provider.ledger.token_requests()) == 1


def test_own_grant_needs_no_login_and_says_so(own, api, cli):
    own()
    reply = api.login("plain/a")
    assert reply.error == "bad_request" and "needs no login" in reply.json["error_description"]
    done = cli.run("login", "plain/a", "--no-browser")
    assert done.returncode != 0 and "needs no login" in done.stderr
    assert cli.run("token", "plain/a").returncode == 0


def test_own_grant_with_wrong_credentials(own, api, daemon):
    """The provider pauses, nobody is asked for a consent; the right secret mends it."""
    provider = own()
    provider.configure(client_secret="changed")
    assert api.token("plain/a").error == "provider_rejected"
    assert api.token("plain/b").error == "provider_rejected"
    assert api.account("plain/a").ok()["state"] != "consent_required"
    assert len(provider.ledger.token_requests()) == 1
    api.wait_health("degraded")
    daemon.config.providers["plain"]["client_secret"] = "changed"
    daemon.reload()
    api.wait_health("ok")
    assert provider.call(api.patient_token("plain/b"))[0] == 200
    assert provider.ledger.lines("client_credentials", outcome="refused")


def test_own_grant_rejected_and_forgotten(own, api):
    provider = own()
    first = api.token("plain/a").ok()
    api.reject("plain/a", access_token=first["access_token"]).ok()
    second = api.patient_token("plain/a")
    assert second["access_token"] != first["access_token"]
    api.forget("plain/a").ok()
    [revoked] = provider.ledger.wait_for("revocation", kind="access")
    assert revoked["token"] == fingerprint(second["access_token"])
    assert api.account("plain/a").status == 404
    assert provider.call(second)[0] == 401
    assert provider.call(api.patient_token("plain/a"))[0] == 200


def test_own_grant_is_for_those_who_may(own, api, daemon):
    daemon.config.access["a"] = {"accounts": ["plain/a"], "who": ["user:root"], "may": ["token"]}
    provider = own()
    assert api.token("plain/b").error == "forbidden"
    assert api.token("plain/a").status == 200
    assert len(provider.ledger.token_requests()) == 1


# private_key_jwt (RFC 7523)


@pytest.fixture(params=["RS256", "ES256"])
def signer(request, folder, daemon, plain):
    """A started daemon whose client signs; returns the provider."""
    private, public = make_key(folder, request.param)
    plain.configure(client_auth=["private_key_jwt"], client_key=str(public),
                    assertion_alg=request.param, clients_own_grant="client_credentials")
    daemon.with_provider("plain", plain, client_auth="private_key_jwt", client_key_id="key-1",
                         client_secret=f"file:{private}").start()
    return plain


def test_assertions_everywhere(signer, api, person, daemon):
    """Each request has one of its own: the exchange, the refresh, both revocations."""
    assert log_in(api, person, "plain/acme")[0]["status"] == "done"
    api.refresh_allowed("plain/acme").ok()
    assert signer.call(api.token("plain/acme").ok())[0] == 200
    api.forget("plain/acme").ok()
    signer.ledger.wait_for("revocation", 2)
    for event in ("exchange", "refresh"):
        [line] = signer.ledger.lines(event)
        assert line["outcome"] == "accepted", line
    for request in signer.ledger.token_requests():
        assert {"client_assertion", "client_assertion_type"} <= set(request["parameters"])
        assert "client_secret" not in request["parameters"]
    assert "PRIVATE" not in daemon.log() and "eyJ" not in daemon.log()


def test_assertion_of_another_key(signer, request, folder, api, daemon):
    """The provider pauses; with the right key it goes on."""
    right = daemon.config.providers["plain"]["client_secret"]
    wrong, _ = make_key(folder, request.node.callspec.params["signer"], "wrong")
    daemon.config.providers["plain"]["client_secret"] = f"file:{wrong}"
    daemon.reload()
    daemon.grant(signer, "plain/acme")
    assert api.token("plain/acme").error == "provider_rejected"
    assert signer.ledger.lines("refresh", outcome="refused", why="the signature does not fit")
    daemon.config.providers["plain"]["client_secret"] = right
    daemon.reload()
    assert signer.call(api.patient_token("plain/acme"))[0] == 200


def test_assertion_is_for_the_issuer(signer, api, daemon):
    """Where the issuer is known, it is the audience."""
    signer.configure(assertion_for="issuer")
    daemon.config.providers["plain"] |= {"issuer": signer.url, "grant": "client_credentials"}
    daemon.reload()
    assert signer.call(api.token("plain/system").ok())[0] == 200
    [line] = signer.ledger.lines("client_credentials")
    assert line["outcome"] == "accepted"


@pytest.mark.parametrize("text, says", [
    ("no key", "no private key"), ("", "empty")])
def test_unusable_key_is_refused(folder, daemon, plain, text, says):
    path = folder / "bad.key"
    path.write_text(text)
    path.chmod(0o600)
    daemon.with_provider("plain", plain, client_auth="private_key_jwt",
                         client_secret=f"file:{path}")
    assert says in daemon.refuses_to_start()


# Certificates (RFC 8705)


@pytest.fixture
def keys(folder):
    return Keys(folder)


@pytest.fixture
def guarded(keys, emulator):
    """Speaks https and knows its clients by their certificates."""
    one = emulator("plain", "clients-own", keys=keys)
    one.configure(client_auth=["tls"], certificate_name="alice")
    return one


def with_certificate(daemon, guarded, keys, name="plain", client="alice", **more):
    certificate, private = keys.client(client)
    daemon.with_provider(name, guarded, client_auth="tls", client_certificate=str(certificate),
                         client_secret=f"file:{private}", ca_file=str(keys.ca_file), **more)
    return certificate, private


def test_certificate_everywhere(guarded, keys, api, daemon):
    with_certificate(daemon, guarded, keys)
    daemon.start()
    daemon.grant(guarded, "plain/acme")
    token = api.token("plain/acme").ok()
    assert guarded.call(token)[0] == 200
    api.refresh_allowed("plain/acme").ok()
    api.forget("plain/acme").ok()
    guarded.ledger.wait_for("revocation", 2)
    assert guarded.ledger.count("refresh", outcome="accepted") == 2
    for request in guarded.ledger.token_requests():
        assert "client_secret" not in request["parameters"]
        assert "client_id" in request["parameters"]


def test_two_identities_at_one_server(guarded, keys, api, daemon):
    """Their requests never share a connection: bob is not taken for alice."""
    with_certificate(daemon, guarded, keys, "alice", "alice", grant="client_credentials")
    with_certificate(daemon, guarded, keys, "bob", "bob", grant="client_credentials")
    daemon.start()
    assert guarded.call(api.token("alice/a").ok())[0] == 200
    assert api.token("bob/a").error == "provider_rejected"
    assert api.token("alice/b").status == 200
    [refused] = guarded.ledger.lines("client_credentials", outcome="refused")
    assert refused["why"] == "certificate of bob"
    assert guarded.ledger.count("client_credentials", outcome="accepted") == 2


def test_renewed_certificate(guarded, keys, api, daemon):
    """A reload takes the new file; the same file may hold the key too."""
    certificate, private = with_certificate(daemon, guarded, keys, grant="client_credentials")
    daemon.start()
    api.token("plain/a").ok()
    guarded.configure(certificate_name="carol")
    both = keys.folder / "both.pem"
    certificate, private = keys.client("carol")
    both.write_text(certificate.read_text() + private.read_text())
    both.chmod(0o600)
    daemon.config.providers["plain"] |= {"client_certificate": str(both), "client_secret": None}
    daemon.reload()
    assert guarded.call(api.token("plain/b").ok())[0] == 200
    assert not guarded.ledger.lines("client_credentials", outcome="refused")


def test_certificate_without_its_key_is_refused(guarded, keys, daemon):
    with_certificate(daemon, guarded, keys)
    daemon.config.providers["plain"]["client_secret"] = f"file:{keys.client('bob')[1]}"
    assert "no certificate with its private key" in daemon.refuses_to_start()


# Resource indicators (RFC 8707)

RESOURCES = ["https://api.example.com/v1", "urn:example:payroll"]


def test_resources_are_named(daemon, plain, api, person):
    daemon.with_provider("plain", plain, resource=RESOURCES).start()
    started = api.login("plain/acme").ok()
    assert parse_qs(urlsplit(started["authorize_url"]).query)["resource"] == RESOURCES
    assert log_in(api, person, "plain/other")[0]["status"] == "done"
    api.refresh_allowed("plain/other").ok()
    requests = plain.ledger.token_requests()
    assert [line["grant_type"] for line in requests] == ["authorization_code", "refresh_token"]
    assert all("resource" in line["parameters"] for line in requests)
