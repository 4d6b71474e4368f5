"""A server goes wrong, in every way seen in the field: the right accounts, and no others, come to
`consent_required`, when they should; then all goes on by itself. Judged by the server's ledger."""

import pytest

from harness.fire import DAY, HOUR, MINUTE, STEP, Fire

MANY = [f"u{number:02}" for number in range(24)]
FEW = ["acme", "bolt", "crow"]
IN_A_ROW = 3  # different accounts that are refused: the provider pauses
RISKED = 2  # accounts whose refresh tokens are sent with a wrong client secret
LIFE = 1  # hour that an access token lives
GIVEN_UP = 6  # hours past its end
ONE_TRY = 4  # requests: one, and three more when no usable answer came

pytestmark = pytest.mark.slow


@pytest.fixture
def fire(daemon, plain):
    return Fire(daemon, plain)


def _only(fire, *users):
    """These, and nobody else, are to consent again."""
    wanted = {user: "consent_required" for user in users}
    assert {user: state for user, state in fire.states().items() if state != "active"} == wanted


def _assert_nothing_spent_twice(fire):
    why = {line["why"] for line in fire.provider.ledger.lines("refresh", outcome="refused")}
    assert "refresh token used twice" not in why


# Everyone


def test_everyone_is_refused_for_an_hour(fire):
    """But for one, whose grant was really taken back meanwhile: it alone has to consent again."""
    fire.grants(*MANY)
    fire.pass_time(40 * MINUTE)
    fire.provider.fault("invalid_grant")
    fire.provider.revoke(MANY[7])
    before = fire.requests()
    fire.pass_time(20 * MINUTE, until=fire.paused)
    assert fire.paused() and fire.requests() - before <= IN_A_ROW
    asked = fire.requests()
    fire.pass_time(HOUR)
    probes = fire.requests() - asked
    assert fire.paused() and 1 <= probes <= 2, "after a minute, then hourly: a canary alone"
    assert not fire.ends

    fire.provider.clear_faults()
    fire.pass_time(3 * HOUR, until=lambda: not fire.paused())
    fire.pass_time(HOUR)
    _only(fire, MANY[7])
    accepted = fire.accepted()
    assert all(accepted[user] >= 2 for user in MANY if user != MANY[7])
    _assert_nothing_spent_twice(fire)


@pytest.mark.parametrize("mode", ["empty400", "invalid_request", "http403"])
def test_everyone_is_refused_oddly_for_a_day(fire, mode):
    """What is said to everyone says nothing about one."""
    fire.grants(*MANY)
    before = fire.requests()
    fire.provider.fault(mode)
    fire.pass_time(DAY, step=10 * MINUTE)
    assert fire.paused() and not fire.ends
    assert fire.requests() - before <= IN_A_ROW + 12, "a canary's hourly probes, then fewer"

    fire.provider.clear_faults()
    fire.pass_time(2 * DAY, step=HOUR, until=lambda: not fire.paused())
    fire.pass_time(HOUR)
    _only(fire)
    _assert_nothing_spent_twice(fire)


def test_wrong_secret_that_consumes_the_refresh_token(fire):
    """It is tried on two accounts in two days, which lose their grants; nobody else does."""
    fire.grants(*MANY)
    right = fire.provider.dialect.client_secret
    before = fire.requests()
    fire.provider.configure(client_secret="another", bad_client_consumes=True)
    fire.pass_time(2 * DAY, step=15 * MINUTE)
    victims = set(fire.asked()[before:])
    assert fire.paused() and not fire.ends
    assert len(victims) <= RISKED and fire.requests() - before <= 8

    fire.provider.configure(client_secret=right)
    fire.pass_time(2 * DAY, step=HOUR, until=lambda: not fire.paused())
    fire.pass_time(HOUR)
    _only(fire, *victims)


def test_wrong_secret_by_reload(fire, daemon):
    """The administrator mistypes the new secret, in a busy hour, and mends it."""
    fire.grants(*MANY)
    right = daemon.config.providers["plain"]["client_secret"]
    fire.provider.configure(bad_client_consumes=True)
    daemon.config.providers["plain"]["client_secret"] = "mistyped"
    daemon.reload()
    before = fire.requests()
    fire.pass_time(HOUR, step=50 * MINUTE)
    victims = set(fire.asked()[before:])
    assert fire.paused() and len(victims) == 1
    daemon.config.providers["plain"]["client_secret"] = right
    daemon.reload()
    fire.pass_time(HOUR)
    assert not fire.paused()
    _only(fire, *victims)


def test_refusals_then_no_answers(fire):
    """An incident of both kinds is over after half an hour: so it is for the clients, soon after."""
    fire.grants(*MANY)
    fire.pass_time(40 * MINUTE)
    fire.provider.fault("http403")
    fire.pass_time(20 * MINUTE, until=fire.paused, step=MINUTE)
    assert fire.paused()
    fire.provider.clear_faults()
    fire.provider.fault("http500")
    before = fire.requests()
    fire.pass_time(HOUR // 2, step=MINUTE)
    probes = fire.requests() - before
    assert fire.paused() and 3 <= probes <= 8, "one account at once, ever more rarely"
    fire.provider.clear_faults()
    fire.pass_time(20 * MINUTE, step=MINUTE)
    assert not fire.paused()
    fire.pass_time(HOUR)
    _only(fire)
    _assert_nothing_spent_twice(fire)


# A few


def test_three_grants_taken_back_among_many(fire):
    """Three refusals in a row look like a broken provider, until a canary has shown that it is
    well. Then the three are told, and they alone; nothing is sent for them any more."""
    fire.grants(*MANY)
    gone = MANY[3:6]
    for user in gone:
        fire.provider.revoke(user)
        fire.api.request("POST", f"/v1/refresh/plain/{user}")
    fire.pass_time(2 * HOUR)
    _only(fire, *gone)
    assert all(hours <= 1 for hours in fire.ends.values())
    sent = {user: fire.requests(user=user) for user in gone}
    fire.pass_time(2 * DAY, step=HOUR)
    assert {user: fire.requests(user=user) for user in gone} == sent


# One


@pytest.mark.parametrize("mode", ["invalid_grant", "invalid_grant403"])
def test_invalid_grant_is_told_at_once(fire, mode):
    fire.grants(*FEW)
    fire.provider.fault(mode, users=["acme"])
    fire.pass_time(LIFE * HOUR, step=MINUTE)
    _only(fire, "acme")
    assert fire.ends["acme"] <= LIFE
    assert fire.asked().count("acme") == 1 + 3, "once more, its predecessor, then no more"


def test_one_accounts_own_refusal_and_an_outage_in_between(fire):
    """Its tenant has thrown the app out. Others pay for it once, until it is known to be its own."""
    fire.grants(*FEW)
    fire.provider.fault("invalid_scope", users=["acme"])
    fire.pass_time(3 * HOUR, until=lambda: fire.states()["acme"] == "suspect")
    assert not fire.paused()
    for _ in range(2):
        fire.provider.fault("http500", users=["acme"])
        fire.pass_time(2 * HOUR, step=10 * MINUTE)
        fire.provider.clear_faults()
        fire.provider.fault("invalid_scope", users=["acme"])
        fire.pass_time(2 * HOUR, until=fire.paused, step=MINUTE)
        assert not fire.paused()


@pytest.mark.parametrize("mode, tries_max, late", [
    ("http500", 70, 3 * HOUR), ("empty400", 10, STEP), ("invalid_request", 10, STEP),
    ("http403", 10, STEP), ("invalid_client", 10, 3 * HOUR), ("invalid_scope", 10, 3 * HOUR)])
def test_one_account_for_ever(fire, mode, tries_max, late):
    """Served while its token is valid; given up 6 h past its end (later where others have to show
    first that it is this account alone); probed once a day after; well again by itself as soon as
    the server is."""
    fire.grants(*FEW)
    token = fire.api.token("plain/acme").ok()["access_token"]
    fire.provider.fault(mode, users=["acme"])
    fire.pass_time(55 * MINUTE, awake_for="acme")
    assert fire.api.token("plain/acme").ok()["access_token"] == token
    fire.pass_time((LIFE + GIVEN_UP) * HOUR - 55 * MINUTE - MINUTE, 10 * MINUTE, awake_for="acme")
    assert not fire.ends and fire.states()["acme"] == "suspect"
    assert fire.api.token("plain/acme").status in (502, 503)
    fire.pass_time(MINUTE + late, awake_for="acme")
    _only(fire, "acme")
    assert fire.api.token("plain/acme").error == "consent_required"
    assert fire.asked().count("acme") <= tries_max

    before = fire.asked().count("acme")
    fire.pass_time(3 * DAY, step=30 * MINUTE)
    _only(fire, "acme")
    assert 2 <= fire.asked().count("acme") - before <= 3 * ONE_TRY
    fire.provider.clear_faults()
    fire.pass_time(DAY + HOUR, step=30 * MINUTE)
    _only(fire)
    _assert_nothing_spent_twice(fire)


# What an API says


def test_api_forbids_a_dead_token(fire):
    """403 where others say 401: the client rejects it, and has another."""
    fire.grants(*FEW)
    first = fire.api.token("plain/acme").ok()
    fire.provider.fault("http403", endpoint="api", times=1)
    assert fire.provider.call(first)[0] == 403
    fire.api.reject("plain/acme", access_token=first["access_token"]).ok()
    assert fire.provider.call(fire.api.patient_token("plain/acme"))[0] == 200
    assert [fire.asked().count(user) for user in FEW] == [2, 1, 1]
    _only(fire)


def test_api_rejects_what_was_minted_for_it(fire):
    """Again and again, by a client that never tires: the provider hears of it once a minute at
    most, nobody gets a rejected token, and a client's word makes nobody consent again."""
    fire.grants(*FEW)
    seen = set()

    def ask_and_reject():
        reply = fire.api.token("plain/acme", wait=1)
        if reply.status == 200:
            token = reply.json["access_token"]
            assert token not in seen
            seen.add(token)
            fire.api.reject("plain/acme", access_token=token).ok()
        return reply

    for _ in range(10):
        ask_and_reject()
    assert fire.asked().count("acme") == 1 + 1, "the first time at once"
    assert fire.states()["acme"] == "suspect"
    assert ask_and_reject().headers["Retry-After"]
    before = fire.asked().count("acme")
    for _ in range(8 * 6):
        fire.pass_time(10 * MINUTE, step=10 * MINUTE)
        ask_and_reject()
        ask_and_reject()
    assert not fire.ends and fire.states()["acme"] != "consent_required"
    assert fire.asked().count("acme") - before <= 2 * 8 * 6

    fire.pass_time(2 * HOUR)
    assert fire.api.token("plain/acme").status == 200
    _only(fire)
