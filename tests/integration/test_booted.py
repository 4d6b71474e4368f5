"""The system service on a booted systemd: as it is installed, sandbox and all."""

import json
import time
from pathlib import Path

import pytest

from harness.client import Api
from harness.config import Config
from harness.emulator import Emulator
from harness.machine import Machine, unable
from harness.ports import free_port

pytestmark = [pytest.mark.booted, pytest.mark.skipif(bool(unable()), reason=str(unable()))]

SOCKET = "/run/tokenbroker/api.sock"
CONFIG = "/etc/tokenbroker/tokenbroker.conf"
DROP_IN = "/etc/systemd/system/tokenbroker.service.d/test.conf"
ACCOUNT, OTHER_ACCOUNT = "plain/acme", "plain/other"
KEY_NAME = "tokenbroker-key"


class Service:
    """The service in a machine; its configuration is what `config` says with the next restart()."""

    def __init__(self, machine, schema, provider):
        self.machine, self.provider = machine, provider
        self.config = Config(Path(CONFIG))
        self.config.callback["listen"] = [f"http://127.0.0.1:{free_port()}"]
        self.config.providers["plain"] = {
            "authorization_endpoint": provider.url + provider.dialect.authorize_path,
            "token_endpoint": provider.url + provider.dialect.token_path,
            "client_id": provider.dialect.client_id,
            "client_secret": provider.dialect.client_secret,
            "api_base": provider.api_base,
        }
        self.config.access["root"] = {"accounts": ["*/*"], "who": ["user:root"],
                                      "may": ["token", "list", "import", "monitor", "admin"]}
        self.config.access["sync"] = {"accounts": [ACCOUNT], "who": ["unit:sync-dk.service"],
                                      "may": ["token"]}
        self.api = Api(f"/proc/{machine.leader}/root{SOCKET}", schema)
        self.drop_in("ExecStart=", "ExecStart=/usr/local/bin/tokenbrokerd --verbose")

    def drop_in(self, *lines, name=DROP_IN):
        self.machine.write(name, "\n".join(["[Service]", *lines, ""]))
        self.machine.run("systemctl", "daemon-reload")

    def restart(self, check=True):
        self.machine.write(CONFIG, self.config.text(), 0o640)
        self.machine.run("chgrp", "tokenbroker", CONFIG)
        done = self.machine.run("systemctl", "restart", "tokenbroker.socket",
                                "tokenbroker.service", check=False)
        assert not check or done.returncode == 0, self.machine.journal("--output=cat", "--lines=12")
        return done

    def grant(self, account):
        user = account.partition("/")[2]
        token = self.provider.seed(user)[user]
        self.api.import_grant(account, refresh_token=token).ok()

    def show(self, *properties):
        said = self.machine.run("systemctl", "show", "tokenbroker.service",
                                *(f"--property={one}" for one in properties)).stdout
        return dict(line.split("=", 1) for line in said.splitlines())


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with Machine(tmp_path_factory.mktemp("machine")) as one:
        one.install()
        yield one


@pytest.fixture(scope="module")
def service(machine, schema):
    provider = Emulator(machine.folder, "plain")
    one = Service(machine, schema, provider)
    one.restart()
    one.grant(ACCOUNT)
    one.grant(OTHER_ACCOUNT)
    yield one
    provider.stop()


def asks(machine, unit, account, user="nobody"):
    return machine.run_as(unit, user, "/usr/local/bin/tokenbroker", "token", account)


def wait_for(condition, timeout=20):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_service_says_that_it_is_ready(service):
    shown = service.show("ActiveState", "SubState", "Type", "WatchdogUSec", "User")
    assert shown == {"ActiveState": "active", "SubState": "running", "Type": "notify",
                     "WatchdogUSec": "30s", "User": "tokenbroker"}
    assert service.api.token(ACCOUNT).status == 200


def test_a_unit_gets_its_own_account_and_no_other(service, machine):
    done = asks(machine, "sync-dk.service", ACCOUNT)
    assert done.returncode == 0, done.stderr
    assert service.provider.call(service.api.token(ACCOUNT).json)[0] == 200
    assert done.stdout.strip() == service.api.token(ACCOUNT).json["access_token"]
    assert asks(machine, "sync-dk.service", OTHER_ACCOUNT).returncode == 4


def test_the_same_user_in_another_unit_is_refused(service, machine):
    for unit in ("sync-se.service", "sync-dk.scope.service", "xsync-dk.service"):
        done = asks(machine, unit, ACCOUNT)
        assert (done.returncode, done.stdout) == (4, ""), unit
    service.api.wait_audit(lambda rows: {"sync-dk.service", "sync-se.service"} <= {
        row.get("unit") for row in rows})


def test_units_of_one_user_are_approved_one_by_one(service, machine):
    service.config.access["many"] = {"accounts": [OTHER_ACCOUNT], "who": ["user:nobody"],
                                     "may": ["token"], "approve": "yes"}
    service.restart()
    callers = lambda: service.api.request("GET", "/v1/callers").ok()["callers"]  # noqa: E731
    for unit in ("one.service", "two.service"):
        done = machine.run_as(unit, "nobody", "/usr/local/bin/tokenbroker", "token", OTHER_ACCOUNT,
                              "--wait", "1")
        assert done.returncode == 4 and "tokenbroker approve" in done.stderr, done.stderr
    rows = {row["unit"]: row for row in callers()}
    assert set(rows) == {"one.service", "two.service"}
    service.api.request("POST", f"/v1/callers/{rows['one.service']['id']}").ok()
    assert asks(machine, "one.service", OTHER_ACCOUNT).returncode == 0
    service.restart()
    assert asks(machine, "one.service", OTHER_ACCOUNT).returncode == 0, "it outlives a restart"
    done = machine.run_as("two.service", "nobody", "/usr/local/bin/tokenbroker", "token",
                          OTHER_ACCOUNT, "--wait", "1")
    assert done.returncode == 4, "the same user in another unit"
    del service.config.access["many"]
    service.restart()


def test_the_socket_outlives_a_kill(service, machine):
    before = service.show("MainPID", "NRestarts")
    machine.run("kill", "-9", before["MainPID"])
    service.api.patient_token(ACCOUNT)
    after = service.show("MainPID", "NRestarts")
    assert int(after["NRestarts"]) == int(before["NRestarts"]) + 1


def test_a_reload_keeps_the_process(service, machine):
    before = service.show("MainPID")
    service.config.access["late"] = {"accounts": [OTHER_ACCOUNT], "who": ["unit:late.service"],
                                     "may": ["token"]}
    machine.write(CONFIG, service.config.text(), 0o640)
    machine.run("chgrp", "tokenbroker", CONFIG)
    machine.run("systemctl", "reload", "tokenbroker.service")
    wait_for(lambda: asks(machine, "late.service", OTHER_ACCOUNT).returncode == 0)
    assert service.show("MainPID") == before


def test_a_reload_with_a_bad_configuration_fails_and_changes_nothing(service, machine):
    """Whoever asked for it is told, and finds why in the journal."""
    before = service.show("MainPID")
    good = service.config.text()
    machine.write(CONFIG, good + "broker {\n    on_evnet = \"/bin/true\"\n}\n", 0o640)
    machine.run("chgrp", "tokenbroker", CONFIG)
    done = machine.run("systemctl", "reload", "tokenbroker.service", check=False)
    assert done.returncode == 1 and "failed" in done.stderr
    said = machine.journal("--unit=tokenbroker.service", "--lines=10")
    assert "unknown key" in said and "on_event" in said
    assert service.show("MainPID", "ActiveState") == before | {"ActiveState": "active"}
    assert service.api.token(ACCOUNT).status == 200
    machine.write(CONFIG, good, 0o640)
    machine.run("chgrp", "tokenbroker", CONFIG)
    machine.run("systemctl", "reload", "tokenbroker.service")
    assert service.show("MainPID") == before


def test_the_sandbox_holds(service, machine):
    """By the running process: what the unit promises is in force."""
    pid = service.show("MainPID")["MainPID"]
    status = machine.run("cat", f"/proc/{pid}/status").stdout
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2"
    assert int(facts["CapEff"], 16) == 0 and int(facts["CapBnd"], 16) == 0
    written = machine.run("nsenter", "--mount", "--target", pid, "touch", "/etc/x", check=False)
    assert "Read-only file system" in written.stderr


def test_no_secret_in_the_journal_or_a_core(service, machine):
    """At debug level, after failures, a crash where a core is asked for among them."""
    service.drop_in("LimitCORE=infinity", "WorkingDirectory=/var/lib/tokenbroker",
                    name=DROP_IN.replace("test.conf", "core.conf"))
    service.restart()
    for mode in ("not-json", "http500", "invalid_grant", "truncate"):
        service.grant(f"plain/{mode}")
        service.provider.fault(mode, times=1, users=[mode])
        service.api.token(f"plain/{mode}")
    machine.run("kill", "-SEGV", service.show("MainPID")["MainPID"])
    service.api.patient_token(ACCOUNT)
    journal = service.machine.journal()
    assert "plain/http500" in journal and "code=killed, status=11/SEGV" in journal
    found = [secret for secret in (*service.provider.secrets(), service.provider.dialect.client_secret)
             if secret in journal]
    assert not found
    assert "core" not in machine.run("ls", "/var/lib/tokenbroker").stdout


def test_doctor_looks_at_the_systems_configuration(service, machine):
    """Root's check knows that credentials are for the service; nobody else's looks at another file."""
    # With the secret in it the file is for root and the service's group.
    checked = machine.run("/usr/local/bin/tokenbrokerd", "--check-config", check=False)
    assert ": fine, 1 provider" in checked.stdout, checked.stderr
    secret = service.config.providers["plain"]["client_secret"]
    machine.write("/etc/tokenbroker/secrets/plain", secret, 0o600)
    service.drop_in("LoadCredential=plain:/etc/tokenbroker/secrets/plain",
                    name=DROP_IN.replace("test.conf", "secret.conf"))
    service.config.providers["plain"]["client_secret"] = "credential:plain"
    service.restart()
    machine.run("systemctl", "reload", "tokenbroker.service")

    def configuration(done):
        [found] = [one for one in json.loads(done.stdout)["findings"]
                   if one["about"] == "configuration"]
        return found["verdict"], found["text"]

    command = ("/usr/local/bin/tokenbroker", "doctor", "--json")
    assert configuration(machine.run(*command, check=False)) == ("ok", f"{CONFIG} is sound")
    verdict, text = configuration(machine.run_as("doctor.service", "nobody", *command))
    assert verdict == "ok" and text == f"{CONFIG} is the system's: root's doctor looks at it"
    service.config.providers["plain"]["client_secret"] = secret
    service.restart()


def test_a_configuration_that_others_read_says_how_it_is_mended(service, machine):
    """The service has to go on reading it: the command that is told does that."""
    service.restart()
    machine.run("chmod", "644", CONFIG)
    machine.run("chgrp", "root", CONFIG)
    assert machine.run("systemctl", "restart", "tokenbroker.service", check=False).returncode != 0
    advice = f"others can read the file: chgrp tokenbroker {CONFIG} && chmod 640 {CONFIG}"
    assert advice in machine.journal("--unit=tokenbroker.service", "--lines=60")
    checked = machine.run("/usr/local/bin/tokenbrokerd", "--check-config", check=False)
    assert advice in checked.stderr
    machine.run("sh", "-c", advice.partition(": ")[2])
    machine.run("systemctl", "reset-failed")
    machine.run("systemctl", "restart", "tokenbroker.service")
    service.api.patient_token(ACCOUNT)


def test_what_kept_it_from_starting_may_last(service, machine):
    """More starts fail than systemd allows by itself, and it comes as soon as it can."""
    service.drop_in("RestartSec=200ms", name=DROP_IN.replace("test.conf", "soon.conf"))
    before = service.show("MainPID", "NRestarts")
    machine.run("chmod", "666", CONFIG)
    machine.run("kill", "-9", before["MainPID"])
    wait_for(lambda: int(service.show("NRestarts")["NRestarts"]) > int(before["NRestarts"]) + 7)
    machine.run("chmod", "640", CONFIG)
    service.api.patient_token(ACCOUNT)
    service.drop_in(name=DROP_IN.replace("test.conf", "soon.conf"))


def seal_key(machine, text, name=KEY_NAME):
    """A key as systemd-creds encrypts it with the machine's own key."""
    sealed = f"/etc/credstore.encrypted/{name}"
    machine.run("mkdir", "-p", "/etc/credstore.encrypted")
    machine.run("systemd-creds", "encrypt", "--with-key=host", f"--name={name}", "-", sealed,
                input=text)
    return sealed


@pytest.fixture(scope="module")
def sealed_service(service, machine):
    """The service with its key out of the state folder: rekeyed to a sealed credential."""
    credential = seal_key(machine, "11" * 32)
    service.drop_in(f"LoadCredentialEncrypted={KEY_NAME}:{credential}",
                    name=DROP_IN.replace("test.conf", "key.conf"))
    service.config.broker["key_next"] = f"credential:{KEY_NAME}"
    service.restart()
    service.api.rekey().ok()
    wait_for(lambda: not service.api.rekey_progress().ok()["running"])
    service.config.broker = {"key": f"credential:{KEY_NAME}"}
    service.restart()
    yield service
    seal_key(machine, "11" * 32)
    service.restart()


def test_a_sealed_credential_is_the_key(sealed_service, machine):
    service = sealed_service
    service.api.patient_token(ACCOUNT)
    assert machine.run("ls", "/var/lib/tokenbroker").stdout.count("key") == 0
    environment = Path(f"/proc/{machine.leader}/root/etc/credstore.encrypted/{KEY_NAME}")
    assert b"1111" not in environment.read_bytes()
    seal_key(machine, "22" * 32)
    assert service.restart(check=False).returncode != 0
    said = machine.journal("--unit=tokenbroker.service", "--lines=100")
    assert "the sealing key does not fit the store" in said
    seal_key(machine, "11" * 32)
    machine.run("systemctl", "reset-failed")
    service.restart()
    service.api.patient_token(ACCOUNT)


def test_a_credential_that_is_missing_or_broken_loses_nothing(sealed_service, machine):
    service = sealed_service
    path = f"/etc/credstore.encrypted/{KEY_NAME}"
    service.config.broker = {"key": "credential:not-there"}
    assert service.restart(check=False).returncode != 0
    said = machine.journal("--unit=tokenbroker.service", "--lines=100")
    assert "not-there" in said and "credential" in said
    machine.run("systemctl", "reset-failed")
    service.config.broker = {"key": f"credential:{KEY_NAME}"}
    machine.write(path, "bm90IHNlYWxlZA==")
    assert service.restart(check=False).returncode != 0, "systemd does not start it without"
    machine.run("systemctl", "reset-failed")
    seal_key(machine, "11" * 32)
    service.restart()
    for account in (ACCOUNT, OTHER_ACCOUNT):
        service.api.patient_token(account)
