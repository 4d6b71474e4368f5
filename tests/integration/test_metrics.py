"""GET /metrics, read by a strict reader of the format; the figures judged by what happened."""

import time

import pytest

from harness.large import enlarge
from harness.logins import log_in
from harness.openmetrics import Metrics
from harness.stream import Stream

ACCOUNT = "plain/acme"
DAY = 24 * 3600


def metrics_of(api):
    reply = api.request("GET", "/metrics")
    assert reply.status == 200, reply.text
    assert reply.headers["Content-Type"] == (
        "application/openmetrics-text; version=1.0.0; charset=utf-8")
    return Metrics(reply.text)


def test_before_anything_happened(broker, api):
    before = metrics_of(api)
    assert before.value("token_answers_total", result="hit") == 0
    assert before.value("store_ok") == 1
    assert before.value("provider_paused", provider="plain") == 0
    assert abs(before.value("process_start_timestamp_seconds") - time.time()) < 60
    assert api.health().ok()["version"] in str(before.samples)


def test_figures_follow_what_happens(broker, api, plain, person, schema):
    log_in(api, person, ACCOUNT)
    log_in(api, person, ACCOUNT, "deny")
    for _ in range(3):
        api.token(ACCOUNT).ok()
    assert api.token("plain/nobody").status == 404
    assert api.token("none/acme").status == 404
    api.refresh_allowed(ACCOUNT).ok()
    plain.fault("unknown-error", times=1)
    assert api.refresh_allowed(ACCOUNT).status == 502
    with Stream(api, schema):
        after = metrics_of(api)
    assert after.value("logins_started_total") == 2
    assert after.value("logins_total", ending="granted") == 1
    assert after.value("logins_total", ending="failed") == 1
    served = [after.value("token_answers_total", result=result) for result in ("hit", "waited")]
    assert sum(served) == 3 and served[0] >= 2
    assert after.value("token_answers_total", result="unknown_account") == 1
    assert after.value("token_answers_total", result="unknown_provider") == 1
    assert after.value("refresh_attempts_total", provider="plain", verdict="granted") == 1
    assert after.value("refresh_attempts_total", provider="plain", verdict="account_suspect") == 1
    assert after.value("refreshes_in_air", provider="plain") == 0
    assert after.value("accounts", provider="plain", state="suspect") == 1
    assert after.value("accounts", provider="plain", state="active") == 0
    assert after.value("event_followers") == 1
    assert after.value("commit_groups_total") >= 3


def test_forecast(broker, api, plain):
    """A grant that dies in a few days shows with its end."""
    broker.config.providers["plain"]["refresh_token_lifetime"] = "5d"
    broker.reload()
    broker.grant(plain, ACCOUNT)
    api.refresh(ACCOUNT).ok()
    forecast = metrics_of(api)
    dying = [forecast.value("grants_dying", provider="plain", days=str(days))
             for days in (1, 3, 7, 14, 30)]
    assert dying == [0, 0, 1, 1, 1]
    end = forecast.value("grants_first_end_timestamp_seconds", provider="plain")
    assert end == api.account(ACCOUNT).ok()["forecast"]["dies_at"]
    assert abs(end - time.time() - 5 * DAY) < 120


def test_accounts_are_never_named(broker, api, plain):
    for i in range(20):
        broker.grant(plain, f"plain/company-{i}")
    text = api.request("GET", "/metrics").text
    assert "company" not in text
    assert Metrics(text).value("accounts", provider="plain", state="active") == 20


def test_a_pause_shows(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    plain.configure(client_secret="another")
    api.refresh(ACCOUNT)
    paused = metrics_of(api)
    assert paused.value("provider_paused", provider="plain") == 1
    assert paused.value("refresh_attempts_total", provider="plain", verdict="provider_refused") == 1


def test_without_monitor_it_is_refused(daemon, plain, api):
    daemon.config.access["rule"] = {"accounts": ["*/*"], "who": ["user:0"],
                                    "may": ["token", "list"]}
    daemon.with_provider("plain", plain).start()
    refused = api.request("GET", "/metrics")
    assert refused.error == "forbidden" and "monitor" in refused.json["error_description"]


def test_takes_no_parameters(shared):
    assert shared.api.request("GET", "/metrics?name=x").error == "bad_request"


@pytest.mark.parametrize("text", [
    "", "# EOF", "a 1\n# EOF\n", "# TYPE a counter\n# HELP a b.\na 1\n# EOF\n",
    "# TYPE a gauge\n# HELP a b.\na 1\na 1\n# EOF\n", "# TYPE a gauge\na 1\n# EOF\n",
    "# TYPE a gauge\n# HELP a b.\na{x=\"1\",} 1\n# EOF\n",
    "# TYPE a gauge\n# HELP a b.\na{x=\"\n\"} 1\n# EOF\n",
    "# TYPE a_total counter\n# HELP a_total b.\na_total_total 1\n# EOF\n",
    "# TYPE a gauge\n# HELP a b.\na 1\n# EOF\n# EOF\n"])
def test_the_reader_is_strict(text):
    with pytest.raises(AssertionError):
        Metrics(text)


@pytest.mark.slow
def test_as_many_providers_as_a_configuration_may_have(daemon, api, plain):
    """Each with its own accounts; of those that it does not know any more, some are told as a sum."""
    names = [f"a-provider-with-quite-a-name-{number:03}" for number in range(1, 1000)]
    for name in names:
        daemon.with_provider(name, plain)
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNT)
    enlarge(daemon, ACCOUNT, 1300, provider="printf(iif(value < 1000, 'a-provider-with-quite-a-name-',"
                                            " 'not-known-any-more-') || '%03d', value)")
    found = metrics_of(api)
    active = {dict(labels)["provider"]: value for (name, labels), value in found.samples.items()
              if name == "tokenbroker_accounts" and ("state", "active") in labels}
    assert {active.pop(name) for name in names} == {1}
    assert active.pop("*") > 1 and set(active.values()) == {1}
    assert sum(found.samples[key] for key in found.samples
               if key[0] == "tokenbroker_accounts") == 1301
