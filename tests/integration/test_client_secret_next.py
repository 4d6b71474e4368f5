"""A client secret is changed without a moment in which nothing works: judged by the provider."""

import pytest

from harness.keys import make_key

ACCOUNTS = ("plain/a", "plain/b", "plain/c")
NEXT = "the next secret"


@pytest.fixture
def changing(daemon, plain):
    """Three accounts; the provider knows one secret, the configuration two."""
    def start(known):
        plain.configure(client_secret=known, bad_client_consumes=True)
        daemon.with_provider("plain", plain, client_secret_next=NEXT).start()
        for account in ACCOUNTS:
            daemon.grant(plain, account)
    return start


def refused(plain):
    return plain.ledger.lines("refresh", outcome="refused")


def next_secret(api):
    return api.health().ok()["providers"][0]["client_secret_next"]


def test_the_new_one_works(changing, daemon, api, plain, cli, person):
    """No request is refused, also after the restart and once it is client_secret."""
    changing(NEXT)
    assert next_secret(api) == "untried"
    for account in ACCOUNTS:
        assert plain.call(api.token(account).ok())[0] == 200
    assert next_secret(api) == "works"
    assert "client_secret_next works: make it client_secret" in cli.run("status").stdout
    daemon.restart()
    assert next_secret(api) == "works"
    api.refresh_allowed("plain/a").ok()
    daemon.config.providers["plain"]["client_secret"] = NEXT
    daemon.config.providers["plain"]["client_secret_next"] = None
    daemon.reload()
    assert "client_secret_next" not in api.health().ok()["providers"][0]
    api.refresh_allowed("plain/b").ok()
    assert not refused(plain)
    assert NEXT not in daemon.log()
    assert NEXT.encode() not in (daemon.state / "store.sqlite").read_bytes()


def test_the_new_one_is_refused(changing, daemon, api, plain, cli):
    """One account alone tries: at this provider that costs it its refresh token."""
    changing(plain.dialect.client_secret)
    plain.configure(bad_client_consumes=False)
    for account in ACCOUNTS:
        assert plain.call(api.token(account).ok())[0] == 200
    [line] = refused(plain)
    assert line["user"] == "a"
    assert next_secret(api) == "refused"
    assert "client_secret stays in use" in cli.run("health").stdout
    account = api.account("plain/a").ok()
    assert account["state"] == "active" and "last_error" not in account
    daemon.restart()
    for account in ACCOUNTS:
        api.refresh_allowed(account).ok()
    assert len(refused(plain)) == 1


@pytest.mark.slow
def test_a_server_that_spends_the_token_all_the_same(changing, api, plain):
    changing(plain.dialect.client_secret)
    api.token("plain/a", wait=1)
    for account in ("plain/b", "plain/c"):
        assert plain.call(api.token(account, wait=20).ok())[0] == 200
    assert {line["user"] for line in refused(plain)} == {"a"}


@pytest.mark.slow
def test_the_old_one_is_refused(daemon, api, plain):
    """The provider has changed it already: what is next is tried at once."""
    daemon.with_provider("plain", plain, client_secret_next=NEXT).start()
    daemon.grant(plain, "plain/a")
    daemon.grant(plain, "plain/b")
    plain.fault("http500", times=1)
    api.token("plain/a", wait=20).ok()  # tried, and nothing was decided
    assert next_secret(api) == "untried"
    plain.configure(client_secret=NEXT)
    assert api.token("plain/b", wait=5).status != 200
    api.wait_unpaused("plain")
    daemon.restart()  # and so it is not in memory alone
    assert plain.call(api.patient_token("plain/b"))[0] == 200


def test_a_signing_key_and_its_name(daemon, api, emulator, folder):
    signer = emulator("plain")
    old, _ = make_key(folder, "ES256", "old")
    new, public = make_key(folder, "ES256", "new")
    signer.configure(client_auth=["private_key_jwt"], client_key=str(public),
                     assertion_alg="ES256")
    daemon.with_provider("plain", signer, client_auth="private_key_jwt", client_key_id="key-0",
                         client_secret=f"file:{old}", client_secret_next=f"file:{new}",
                         client_key_id_next="key-1").start()
    daemon.grant(signer, "plain/a")
    assert signer.call(api.token("plain/a").ok())[0] == 200
    assert next_secret(api) == "works"
    assert not refused(signer)


@pytest.mark.parametrize("keys, says", [
    ({"client_secret": None, "client_auth": "none"}, "needs client_secret, since"),
    ({"client_key_id": "k1"}, "needs client_key_id_next"),
    ({"client_secret_next": None, "client_key_id_next": "k2"}, "needs client_secret_next"),
    ({"client_secret_next": "file:/nonexistent/secret"}, "client_secret_next"),
])
def test_what_makes_no_sense(daemon, plain, keys, says):
    daemon.with_provider("plain", plain, **{"client_secret_next": NEXT} | keys)
    assert says in daemon.refuses_to_start()
