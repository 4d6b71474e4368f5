"""A login that is finished on another device (RFC 8628), judged by the provider's ledger."""

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.devices import enter_code, gaps, poll_times, with_device
from harness.logins import start, wait_ended
from harness.other_user import as_user
from harness.person import Person
from provider.token_endpoint import DEVICE

ACCOUNT = "plain/acme"
EARLY = 0.05  # what a poll may come too early for the clocks' and the way's sake


@pytest.fixture
def provider(emulator):
    return emulator("plain", "device")


@pytest.fixture
def device(daemon, provider):
    """A started daemon whose provider knows device logins."""
    return with_device(daemon, provider).start()


def _begin(api, **members):
    return start(api, ACCOUNT, mode="device", **members)


def _wait_poll(provider, count=1, timeout=20):
    provider.ledger.wait_for("token_request", count, timeout, grant_type=DEVICE)


def test_a_device_login(device, api, provider):
    started = _begin(api, scope="read write", params={"audience": "x"})
    assert started["account"] == ACCOUNT and started["expires_in"] == 600
    assert started["interval"] == 1 and len(started["user_code"]) == 9
    assert started["verification_uri"] == provider.url + "/device"
    assert started["verification_uri_complete"].endswith("?user_code=" + started["user_code"])
    [asked] = provider.ledger.lines("device_request")
    assert asked["parameters"] == ["audience", "scope"]  # the client is in the header
    _wait_poll(provider)
    assert api.follow(started["login_id"]).ok()["status"] == "pending"
    enter_code(started, user="bob")
    login = wait_ended(api, started["login_id"])
    assert login["status"] == "done" and login["scope"] == "read write"
    assert provider.call(api.token(ACCOUNT).ok())[1]["user"] == "bob"
    assert provider.ledger.count("device_poll", outcome="granted") == 1


@pytest.mark.slow
def test_the_interval_is_kept(device, api, provider):
    begun = time.time()
    started = _begin(api)
    _wait_poll(provider, 4)
    enter_code(started)
    wait_ended(api, started["login_id"])
    times = poll_times(provider)
    assert times[0] - begun >= 1 - EARLY
    assert all(1 - EARLY <= gap < 2 for gap in gaps(times)), gaps(times)
    assert not provider.ledger.lines("device_poll", outcome="slow_down")


def _begin_and_leave(daemon):
    """A client that does not wait for the codes."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(daemon.socket))
        body = b'{"mode":"device"}'
        client.sendall(b"POST /v1/login/plain/acme HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d"
                       b"\r\n\r\n%s" % (len(body), body))
        time.sleep(0.02)


@pytest.mark.slow
def test_who_has_left_keeps_nobody_out(daemon, provider, emulator, api):
    """A provider that hangs, and a client that begins again and again: another's logins begin."""
    other = emulator("zenhr")
    other.configure(device_path="/device_authorization")
    daemon.with_provider("zenhr", other,
                         device_authorization_endpoint=other.url + "/device_authorization")
    with_device(daemon, provider).start()
    provider.fault("hang", endpoint="device", seconds=20)
    for _ in range(150):
        _begin_and_leave(daemon)
    assert provider.ledger.count("fault") >= 1
    assert start(api, "zenhr/acme", mode="device")["user_code"]
    provider.clear_faults()
    assert _begin(api)["user_code"]


@pytest.mark.slow
def test_two_users_keep_no_third_out(device, daemon, api, schema):
    """Each has as many logins as a user may; they wait for their codes up to an hour."""
    daemon.config.access["all"] = {"accounts": ["plain/*"], "may": ["login", "list"],
                                   "who": [f"user:{uid}" for uid in (os.geteuid(), 65533, 65534)]}
    daemon.socket.chmod(0o666)
    daemon.folder.chmod(0o755)
    daemon.reload()
    for uid in (65533, 65534):
        other = as_user(type(api), uid)(daemon.socket, schema)
        replies = [other.login("plain/theirs", mode="device") for _ in range(33)]
        assert [reply.status for reply in replies] == [200] * 32 + [429]
    started = _begin(api)
    enter_code(started)
    assert wait_ended(api, started["login_id"])["status"] == "done"


@pytest.mark.parametrize("key", ["client_id", "token_endpoint"])
def test_a_device_code_goes_to_nobody_else(device, api, provider, emulator, key):
    """A reload while the codes are on their way names another client, or another server."""
    other = emulator("plain", "device")
    provider.fault("hold", endpoint="device")
    with ThreadPoolExecutor() as beside:
        starting = beside.submit(_begin, api)
        provider.ledger.wait_for("fault")
        section = device.config.providers["plain"]
        section[key] = {"client_id": "other", "token_endpoint": other.url + "/token"}[key]
        device.reload()
        provider.clear_faults()
    login = wait_ended(api, starting.result()["login_id"])
    assert login["status"] == "failed"
    assert "configuration has changed" in login["error_description"]
    for asked in (provider, other):
        assert not asked.ledger.token_requests()


@pytest.mark.slow
def test_slow_down_adds_five_seconds_and_stays(device, api, provider):
    started = _begin(api)
    provider.fault("slow_down", times=1)
    _wait_poll(provider, 3, timeout=30)
    enter_code(started)
    wait_ended(api, started["login_id"])
    assert all(gap >= 6 - EARLY for gap in gaps(poll_times(provider))), gaps(poll_times(provider))


@pytest.mark.slow
def test_the_provider_fails_in_between(device, api, provider):
    """Web pages with 500: the polls become fewer, and go on."""
    started = _begin(api)
    provider.fault("http500", times=2)
    _wait_poll(provider, 2, timeout=30)
    enter_code(started)
    login = wait_ended(api, started["login_id"], timeout=30)
    first, second = gaps(poll_times(provider))
    assert first >= 2 - EARLY and second >= 4 - EARLY
    assert login["status"] == "done"


def test_denied(device, api, provider):
    started = _begin(api)
    enter_code(started, "deny")
    login = wait_ended(api, started["login_id"])
    assert (login["status"], login["error"]) == ("failed", "access_denied")
    assert api.token(ACCOUNT).status == 404


@pytest.mark.slow
@pytest.mark.parametrize("says_so", [True, False], ids=["by the provider", "by the clock"])
def test_expired(device, api, provider, says_so):
    provider.configure(device_lifetime=2)
    if says_so:
        provider.configure(device_members={"expires_in": 600})
    started = _begin(api)
    login = wait_ended(api, started["login_id"])
    assert (login["status"], login["error"]) == ("expired", "expired")
    polls = len(poll_times(provider))
    time.sleep(1.5)
    assert len(poll_times(provider)) == polls


@pytest.mark.slow
def test_cancelled(device, api, provider):
    started = _begin(api)
    _wait_poll(provider)
    assert api.cancel(started["login_id"]).ok()["status"] == "cancelled"
    assert api.follow(started["login_id"]).ok()["status"] == "cancelled"
    polls = len(poll_times(provider))
    enter_code(started)
    time.sleep(1.5)
    assert len(poll_times(provider)) == polls
    assert api.cancel(started["login_id"]).ok()["status"] == "cancelled"
    assert api.token(ACCOUNT).status == 404


@pytest.mark.parametrize("decided", [False, True], ids=["undecided", "granted"])
def test_cancelled_while_a_poll_hangs(device, api, provider, decided):
    """It is said at once; a grant that comes all the same is revoked."""
    started = _begin(api)
    if decided:
        enter_code(started)
    provider.fault("hold")
    provider.ledger.wait_for("fault")
    begun = time.monotonic()
    assert api.cancel(started["login_id"]).ok()["status"] == "cancelled"
    assert api.follow(started["login_id"]).ok()["status"] == "cancelled"
    assert time.monotonic() - begun < 2
    provider.clear_faults()
    provider.ledger.wait_for("device_poll")
    if decided:
        given = provider.ledger.wait_for("device", outcome="accepted")[0]
        provider.ledger.wait_for("revocation", token=given["refresh"])
    assert api.token(ACCOUNT).status == 404
    assert len(poll_times(provider)) == 1


def test_a_cancelled_login_ends_nobodys_grant(daemon, emulator, api):
    """The same person has connected another account, and one revocation would end both."""
    provider = emulator("plain", "device")
    provider.configure(fields=["company_id"], revocation_ends_all=True)
    with_device(daemon, provider, identity="company_id").start()
    started = _begin(api)
    enter_code(started)
    wait_ended(api, started["login_id"])
    wrong = start(api, "plain/wrong", mode="device")
    enter_code(wrong)
    provider.fault("hold")
    provider.ledger.wait_for("fault")
    assert api.cancel(wrong["login_id"]).ok()["status"] == "cancelled"
    provider.clear_faults()
    provider.ledger.wait_for("device", 2, outcome="accepted")
    daemon.wait_log("as it may be the same person's")
    assert api.token("plain/wrong").status == 404
    assert not provider.ledger.lines("revocation")
    assert provider.call(api.refresh_allowed(ACCOUNT).ok() and api.token(ACCOUNT).ok())[0] == 200


def test_a_logout_counts_for_a_login_that_waits(device, api, provider):
    """Between two polls as well: the account does not come back."""
    device.grant(provider, ACCOUNT)
    started = _begin(api)
    _wait_poll(provider)
    api.forget(ACCOUNT).ok()
    enter_code(started)
    assert wait_ended(api, started["login_id"])["status"] in ("cancelled", "failed")
    for given in provider.ledger.lines("device", outcome="accepted"):
        provider.ledger.wait_for("revocation", token=given["refresh"])
    assert api.account(ACCOUNT).status == 404


def test_a_rename_waits_for_a_login(device, api, provider):
    """Which would make the old name anew, and ask nobody whose it is."""
    device.grant(provider, ACCOUNT)
    started = _begin(api)
    _wait_poll(provider)
    reply = api.rename(ACCOUNT, "plain/better")
    assert (reply.status, reply.error) == (503, "busy")
    assert "a login of plain/acme" in reply.json["error_description"]
    api.cancel(started["login_id"]).ok()
    api.rename(ACCOUNT, "plain/better").ok()


def test_it_dies_with_the_broker_and_says_so(device, api, provider):
    started = _begin(api)
    device.restart()
    reply = api.follow(started["login_id"])
    assert reply.status == 404 and "restarted" in reply.json["error_description"]


def test_an_address_of_before_is_google_s_word(daemon, emulator, api):
    provider = emulator("plain", "device-url")
    with_device(daemon, provider).start()
    started = _begin(api)
    assert started["verification_uri"] == provider.url + "/device"
    assert "verification_uri_complete" not in started
    enter_code(started)
    assert wait_ended(api, started["login_id"])["status"] == "done"


@pytest.mark.parametrize("members", [
    {"verification_uri": "http://evil.example/device"}, {"verification_uri": "javascript:alert()"},
    {"user_code": "A\u202eB"}, {"user_code": "A\nB"}, {"user_code": ""}, {"user_code": "X" * 65},
    {"device_code": 5}, {"expires_in": 0}, {"expires_in": None}, {"interval": -1},
    {"interval": 301}], ids=str)
def test_answers_that_are_not_shown(daemon, emulator, api, members):
    provider = emulator("plain", "device")
    provider.configure(device_members=members)
    with_device(daemon, provider).start()
    reply = api.login(ACCOUNT, mode="device")
    assert (reply.status, reply.error) == (503, "provider_unavailable"), reply.text


def test_the_provider_refuses_to_begin(device, api, provider):
    provider.fault("invalid_client", endpoint="device")
    reply = api.login(ACCOUNT, mode="device")
    assert (reply.status, reply.error) == (502, "provider_rejected")
    assert "invalid_client" in reply.json["error_description"]
    assert not poll_times(provider)


def test_a_provider_without_the_endpoint(shared):
    reply = shared.api.login(ACCOUNT, mode="device")
    assert (reply.status, reply.error) == (400, "bad_request")
    assert "device_authorization_endpoint" in reply.json["error_description"]


def _as_device_grant(daemon, provider, **more):
    daemon.config.providers["plain"] = {
        "grant": "device_code", "client_id": provider.dialect.client_id,
        "client_secret": provider.dialect.client_secret, "api_base": provider.api_base} | more
    return daemon.start()


@pytest.mark.parametrize("discovered", [True, False], ids=["discovered", "configured"])
def test_a_grant_of_its_own(daemon, emulator, api, discovered):
    """grant = device_code: login needs no mode, and no address to redirect to."""
    provider = emulator("plain", "device")
    endpoints = {"issuer": provider.url} if discovered else {
        "token_endpoint": provider.url + provider.dialect.token_path,
        "device_authorization_endpoint": provider.url + provider.dialect.device_path}
    _as_device_grant(daemon, provider, **endpoints)
    started = start(api, ACCOUNT)
    assert api.login(ACCOUNT, mode="browser").status == 400
    enter_code(started)
    assert wait_ended(api, started["login_id"])["status"] == "done"
    api.refresh_allowed(ACCOUNT).ok()
    assert provider.ledger.refreshes()


@pytest.mark.parametrize("way", ["post", "basic", "json"])
def test_in_every_way_of_the_client(daemon, emulator, api, way):
    provider = emulator("plain", "device", *(["post"] if way != "basic" else []))
    keys = {"client_auth": "post" if way != "basic" else "basic"}
    if way == "json":
        provider.configure(parameters_in=["json"])
        keys["token_request"] = "json"
    with_device(daemon, provider, **keys).start()
    started = _begin(api)
    enter_code(started)
    assert wait_ended(api, started["login_id"])["status"] == "done"


def test_another_identity_is_held(daemon, emulator, api):
    provider = emulator("plain", "device")
    provider.configure(fields=["company_id"])
    with_device(daemon, provider, identity="company_id").start()
    for company in ("one", "two"):
        started = _begin(api)
        enter_code(started, company=company)
        login = wait_ended(api, started["login_id"])
    assert (login["status"], login["error"]) == ("failed", "identity_mismatch")
    assert [one["account"] for one in api.held().ok()["held"]] == [ACCOUNT]


@pytest.mark.slow
def test_polls_and_refreshes_share_the_rate_limit(daemon, emulator, api):
    """Two requests in a second: neither the polls nor the refreshes wait for ever."""
    provider = emulator("plain", "device")
    with_device(daemon, provider, rate_limit="2/1s").start()
    labels = [f"plain/a{number}" for number in range(4)]
    for label in labels:
        daemon.grant(provider, label)
    logins = [_begin(api) for _ in range(4)]
    _wait_poll(provider, 4)
    for label in labels:
        assert api.token(label, wait=30).status == 200
    requests = [line["at"] for line in provider.ledger.token_requests()]
    assert requests[-1] - requests[0] >= 0.5 * (len(requests) - 1) - EARLY
    assert all(gap >= 0.25 for gap in gaps(requests)), gaps(requests)  # some come late to a busy server
    enter_code(logins[0])
    assert wait_ended(api, logins[0]["login_id"], timeout=30)["status"] == "done"


def test_a_login_in_the_browser_says_that_there_is_this_way(device, api, provider):
    started = start(api, ACCOUNT)
    assert started["device"] is True
    page = Person().consent(started["start_url"])
    assert page.status == 200


def test_no_secret_is_told(device, api, provider):
    started = _begin(api)
    _wait_poll(provider)
    enter_code(started)
    wait_ended(api, started["login_id"])
    device.stop()
    for secret in provider.secrets():
        assert secret not in device.log()
        assert secret not in str(started)
