"""A store that was moved: two brokers never use one grant, judged by the provider's ledger."""

import os
import random
import signal
import threading
import time

import pytest

from harness.background import in_background
from harness.devices import with_device
from harness.logins import start
from harness.relay import relay
from harness.stream import Stream
from test_backup import FEW, elsewhere, key_file, provider, restored  # noqa: F401

KILLS = int(os.environ.get("TOKENBROKER_TEST_MOVE_KILLS", "12"))


def requests(provider):
    """Everything that reached the provider, but what a browser did."""
    return [line for event in ("token_request", "revocation", "device_authorization", "push")
            for line in provider.ledger.lines(event)]


def move(cli, file):
    done = cli.run("move", str(file))
    assert done.returncode == 0, done.stderr
    assert "--moved-back" in done.stderr and "--restore" in done.stderr
    return done


def rotate_all(daemon, provider, accounts):
    """Each gets another token from its grant, and nothing was refused."""
    for account in accounts:
        daemon.api.refresh_allowed(account).ok()
        assert provider.call(daemon.api.token(account).ok())[0] == 200
    assert not provider.ledger.lines("refresh", outcome="refused")


def assert_fenced(daemon, provider, live=FEW):
    """Live tokens are served; whatever else is asked is refused, and nothing is sent."""
    api, before = daemon.api, len(requests(provider))
    for account in live:
        assert provider.call(api.token(account).ok())[0] == 200
    refused = {
        "refresh": api.refresh_allowed(FEW[0]), "import": api.import_grant("plain/x",
                                                                           refresh_token="x"),
        "login": api.login("plain/new"), "forget": api.forget(FEW[0]), "retry": api.retry(),
        "rename": api.rename(FEW[0], "plain/other"), "decide": api.decide(FEW[0], "accept"),
        "unlink": api.request("DELETE", "/v1/links/plain/new")}
    for what, reply in refused.items():
        assert (reply.status, reply.error) == (503, "provider_unavailable"), (what, reply.text)
        assert "was moved at 20" in reply.json["error_description"], what
        assert "--moved-back" in reply.json["error_description"], what
    time.sleep(0.5)
    assert len(requests(provider)) == before
    assert api.health().ok()["store"]["moved_at"] > 1_700_000_000


@pytest.mark.slow
def test_moved(daemon, cli, provider, elsewhere, folder):
    """The new one takes over; of the old one's, not one request more."""
    move(cli, folder / "moved")
    assert_fenced(daemon, provider)
    daemon.restart()
    assert_fenced(daemon, provider)
    daemon.kill()
    daemon.start()
    restored(elsewhere, folder / "moved")
    assert "moved_at" not in elsewhere.api.health().ok()["store"]
    before = len(requests(provider))
    assert elsewhere.api.refresh_allowed(FEW[0]).status == 503, "it is paused at first"
    assert elsewhere.api.resume().ok()["resumed"]
    elsewhere.api.refresh_allowed(FEW[0])
    elsewhere.api.wait_unpaused("plain")
    rotate_all(elsewhere, provider, FEW)
    ours = len(requests(provider))
    assert ours > before
    api = daemon.api
    for account in FEW:
        token = api.token(account)
        if token.status == 200:
            api.reject(account, access_token=token.json["access_token"]).ok()
        assert api.token(account).status == 503, "its tokens are over, and it gets no more"
    time.sleep(1)
    assert len(requests(provider)) == ours


def test_it_is_said_everywhere(daemon, cli, provider, schema, folder):
    with Stream(daemon.api, schema) as events:
        move(cli, folder / "moved")
        events.wait_for("broker_moved")
    assert "MOVED" in cli.run("health").stdout
    assert "\ntokenbroker_refreshing 0\n" in daemon.api.request("GET", "/metrics").text
    doctor = cli.run("doctor").stdout
    assert "was moved" in doctor and "--moved-back" in doctor
    listed = cli.run("list")
    assert listed.returncode == 0 and FEW[0] in listed.stdout and "moved" in listed.stdout
    assert "moved" in cli.run("status", FEW[0]).stdout
    rows = daemon.api.wait_audit(lambda rows: any(row["verdict"] == "move" for row in rows))
    assert [row for row in rows if row["verdict"] == "move"]


@pytest.mark.slow
def test_back_again(daemon, cli, provider, folder):
    """Only with the flag; one account first."""
    move(cli, folder / "moved")
    refused = cli.run("resume")
    assert refused.returncode == 2 and "--moved-back" in refused.stderr
    assert_fenced(daemon, provider)
    before = len(requests(provider))
    assert cli.run("resume", "--moved-back").returncode == 0
    daemon.api.wait_unpaused("plain")
    assert len(requests(provider)) == before + 1
    rotate_all(daemon, provider, FEW)
    daemon.restart()
    assert daemon.api.health().ok()["status"] == "ok"


@pytest.mark.slow
def test_twice(daemon, cli, provider, elsewhere, folder):
    """The first copy was lost on its way: another is the same."""
    move(cli, folder / "one")
    (folder / "one").unlink()
    move(cli, folder / "two")
    assert_fenced(daemon, provider)
    restored(elsewhere, folder / "two")
    elsewhere.api.resume().ok()
    elsewhere.api.refresh_allowed(FEW[0])
    elsewhere.api.wait_unpaused("plain")
    rotate_all(elsewhere, provider, FEW)


def test_a_copy_is_not_moved(daemon, cli, provider, elsewhere, folder):
    assert cli.run("backup", str(folder / "kept")).returncode == 0
    restored(elsewhere, folder / "kept")
    assert elsewhere.api.backup(move=True).error == "bad_request"
    assert elsewhere.api.backup().ok()


@pytest.mark.slow
def test_what_flies_is_in_it(daemon, api, cli, provider, elsewhere, folder):
    """A refresh under way ends first: its new token is in the copy."""
    provider.fault("delay", seconds=2, times=1)
    time.sleep(1)  # so often it may be asked for
    asker = in_background(lambda: api.refresh_allowed(FEW[0]))
    provider.ledger.wait_for("fault")
    move(cli, folder / "moved")
    asker.join()
    assert len(provider.ledger.refreshes(user=FEW[0].partition("/")[2])) == 2
    provider.call(api.token(FEW[0]).ok())  # which ends the refresh token before it
    restored(elsewhere, folder / "moved")
    elsewhere.api.resume().ok()
    elsewhere.api.refresh_allowed(FEW[1])
    elsewhere.api.wait_unpaused("plain")
    rotate_all(elsewhere, provider, FEW)


@pytest.mark.slow
def test_device_logins_end(daemon, api, cli, emulator, folder):
    """They would go on to ask the provider for a quarter of an hour."""
    provider = emulator("plain", "device")
    daemon.config.broker["key"] = f"file:{key_file(folder)}"
    with_device(daemon, provider).start()
    login = start(api, "plain/device", mode="device")["login_id"]
    move(cli, folder / "moved")
    assert api.follow(login, wait=10).ok()["status"] == "failed"
    before = len(requests(provider))
    time.sleep(2.5)  # it asked each second
    assert len(requests(provider)) == before


@pytest.mark.slow
def test_interrupted_by_the_client(daemon, api, provider):
    """Nobody looks any more before the fence is there: nothing has happened."""
    provider.fault("delay", seconds=3, times=1)
    time.sleep(1)  # so often it may be asked for
    asker = in_background(lambda: api.refresh_allowed(FEW[0]))
    provider.ledger.wait_for("fault")
    moved = api.backup(move=True).ok()["backup_id"]
    assert api.import_grant("plain/x", refresh_token="x").error == "busy"
    api.end_backup(moved).ok()
    asker.join().ok()
    time.sleep(0.5)
    assert "moved_at" not in api.health().ok()["store"]
    rotate_all(daemon, provider, FEW)


def step(method, target):
    """Which of the command's steps a request is."""
    return "piece" if "offset=" in target else f"{method} {target.split('/')[2]}"


def interrupted_at(moment, daemon, cli, folder):
    """All that the command says that gets Ctrl-C at that moment of its work."""
    running, met = [], threading.Event()

    def seen(stage, method, target):
        if (stage, step(method, target)) == moment and not met.is_set():
            met.set()
            running[0].send_signal(signal.SIGINT)
            time.sleep(0.2)  # what it waits for does not come meanwhile
    file, path = folder / "-".join(moment).replace(" ", "-"), folder / "relay"
    with relay(path, daemon.api, seen):
        running.append(cli.spawn("--socket", str(path), "move", str(file)))
        said = running[0].communicate(timeout=60)[1]
    path.unlink()
    assert met.is_set() and not file.exists()
    assert running[0].returncode == -signal.SIGINT
    return said


@pytest.mark.slow
def test_interrupted_at_any_moment(daemon, cli, provider, folder):
    """A fence that nobody was told of would be found days later, when the tokens are over."""
    fenced = set()
    for moment in ((stage, step) for step in ("POST backups", "GET backups", "piece")
                   for stage in ("asked", "answered")):
        said = interrupted_at(moment, daemon, cli, folder)
        if "moved_at" in daemon.api.health().ok()["store"]:
            fenced.add(moment)
            assert "the store is fenced for the move: run this again" in said, moment
            assert "--moved-back" in said
            daemon.restart()  # a copy whose id nobody knows goes with it
            daemon.api.resume(moved_back=True).ok()
            daemon.api.wait_unpaused("plain")
        else:
            assert "fence" not in said, moment
    # Nobody knew the copy's id, so nobody could withdraw it; and pieces are those of a whole one.
    assert fenced >= {("asked", "POST backups"), ("answered", "POST backups"), ("asked", "piece"),
                      ("answered", "piece")}
    rotate_all(daemon, provider, FEW)


@pytest.mark.slow
def test_killed_at_any_moment(daemon, cli, provider, elsewhere, folder):
    """kill -9 while it moves: either it is not fenced and goes on, and no file is there; or it is,
    and moving again gives all."""
    chance = random.Random(KILLS)
    fenced = 0
    for number in range(KILLS):
        one = cli.spawn("move", str(folder / f"moved{number}"))
        time.sleep(chance.uniform(0, 0.5))
        daemon.kill()
        one.communicate(timeout=60)
        daemon.start()
        moved = "moved_at" in daemon.api.health().ok()["store"]
        fenced += moved
        assert moved or not (folder / f"moved{number}").exists()
        if moved:
            assert_fenced(daemon, provider)
            daemon.api.resume(moved_back=True).ok()
            daemon.api.wait_unpaused("plain")
        rotate_all(daemon, provider, FEW)
    move(cli, folder / "last")
    restored(elsewhere, folder / "last")
    elsewhere.api.resume().ok()
    elsewhere.api.refresh_allowed(FEW[0])
    elsewhere.api.wait_unpaused("plain")
    rotate_all(elsewhere, provider, FEW)


def test_a_file_that_cannot_be_written_to_its_end(daemon, cli, provider, folder):
    """The disk of FILE is full: the fence stays, and it is said what to do."""
    limited = cli.run("move", str(folder / "moved"), preexec_fn=small_files)
    assert limited.returncode == 1
    assert "run this again" in limited.stderr and "--moved-back" in limited.stderr
    assert not list(folder.glob("moved*"))
    assert_fenced(daemon, provider)
    move(cli, folder / "moved")


def small_files():
    import resource  # pylint: disable=import-outside-toplevel

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


