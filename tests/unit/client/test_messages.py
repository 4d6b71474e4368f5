"""What the command says, about everything that a broker may answer: words, facts, exit codes."""

import json
import os
import shutil
import stat
import time
import unittest

from fake_broker import COMMAND, FakeBroker, account

USAGE, FAILED, UNKNOWN, NO_BROKER = 2, 1, 5, 7
A = "zenegy/acme"
HEALTH = {"status": "ok", "version": "0.0.1", "store": {"ok": True}, "providers": [],
          "accounts": {"active": 1, "suspect": 0, "consent_required": 0}, "callback": []}
FINGERPRINT = "ab" * 32


class Case(unittest.TestCase):
    def setUp(self):
        self.broker = FakeBroker()
        self.addCleanup(self.broker.close)

    def run_command(self, *arguments, **more):
        return self.broker.run(*arguments, **more)

    def assert_says(self, arguments, code, *words, **more):
        """On stderr, and nothing on stdout."""
        done = self.run_command(*arguments, **more)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)


class Usage(Case):
    """Nothing is asked of the broker."""

    def tearDown(self):
        self.assertEqual(self.broker.seen, [])

    def test_an_account_that_is_none(self):
        for command in (["audit"], ["exec"], ["accept"], ["discard"], ["import"], ["link"],
                        ["login"], ["logout"], ["refresh"], ["reject"], ["status"], ["token"]):
            rest = ["--", "true"] if command == ["exec"] else []
            for name in ("BAD", "a/b/c", "a/", "/b", "a b"):
                with self.subTest(f"{command} {name}"):
                    self.assert_says([*command, name, *rest], USAGE, f"'{name}' is no account",
                                     "PROVIDER/LABEL")
        self.assert_says(["rename", "BAD", A], USAGE, "'BAD' is no account")
        self.assert_says(["rename", A, "BAD"], USAGE, "'BAD' is no account")
        self.assert_says(["retry", "BAD"], USAGE, "'BAD' is neither a provider nor an account")

    def test_too_many_and_too_few(self):
        for command in ("exec", "accept", "discard", "link", "login", "logout", "rename", "token",
                        "trust"):
            self.assert_says([command], USAGE, "an argument is missing",
                             f"tokenbroker {command} --help")
        for command in ("list", "resume", "rekey", "health", "doctor", "held", "forecast"):
            self.assert_says([command, "x"], USAGE, "too many arguments")

    def test_options(self):
        for arguments, words in [
                (["token", A, "--min-tll", "5"], "did you mean --min-ttl?"),
                (["token", A, "--min-ttl"], "--min-ttl needs"),
                (["token", A, "--min-ttl", "soon"], "takes a duration"),
                (["token", A, "--json=yes"], "--json takes no value"),
                (["audit", "--limit", "0"], "--limit takes a number"),
                (["login", A, "--param", "=x"], "--param takes NAME=VALUE"),
                (["login", A, *["--param", "a=b"] * 100], "more than"),
                (["login", A, "--=x"], "unknown option"),
                (["trust", "nonsense"], "install, remove, status or export, not 'nonsense'"),
                (["trust", "remove", "--fingerprint", "AB"], "64 hex digits in lower case"),
                (["watch", "x" * 3000], "too long"),
                (["watch", "a", "b"], "too many arguments"),
        ]:
            with self.subTest(words):
                self.assert_says(arguments, USAGE, words)

    def test_a_command_that_is_none(self):
        self.assert_says(["tokn"], USAGE, "unknown command 'tokn'", "token")
        self.assert_says(["help", "tokn"], USAGE, "unknown command 'tokn'")
        for topic in ("help", "version"):
            self.assertEqual(self.run_command("help", topic).stdout, self.run_command("help").stdout)


class Json(Case):
    """--json prints the broker's facts, and they alone."""

    def test_what_the_broker_said(self):
        for request, arguments, answer in [
                (f"DELETE /v1/accounts/{A}", ["logout", A, "--yes"], {"account": A, "forgotten": True}),
                (f"POST /v1/reject/{A}", ["reject", A], {"account": A, "rejected": True}),
                ("POST /v1/retry", ["retry"], {"retried": True}),
                ("POST /v1/retry/zenegy", ["retry", "zenegy"], {"retried": True}),
                ("POST /v1/resume", ["resume"], {"resumed": True}),
                ("POST /v1/rekey", ["rekey"], {"running": False, "resealed": 3, "unreadable": 0}),
                (f"POST /v1/refresh/{A}", ["refresh", A], account()),
                (f"POST /v1/links/{A}", ["link", A], {"account": A, "url": "http://x/link/a"}),
                ("GET /v1/health", ["health"], HEALTH),
        ]:
            with self.subTest(request):
                self.broker.answers[request] = answer
                done = self.run_command(*arguments, "--json", text_in="a-token\n")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(json.loads(done.stdout), answer)

    def test_what_the_broker_refused(self):
        """The exit code and the broker's words, whatever was asked."""
        refusal = 403, {"error": "forbidden", "error_description": "no rule for you"}
        for request, arguments in [
                ("GET /v1/audit", ["audit"]), ("GET /v1/accounts", ["list"]),
                ("GET /v1/accounts", ["forecast"]), ("GET /v1/health", ["health"]),
                ("GET /v1/health", ["status"]), ("GET /v1/held", ["held"]),
                (f"GET /v1/accounts/{A}", ["status", A]), (f"GET /v1/token/{A}", ["token", A]),
                (f"GET /v1/token/{A}", ["exec", A, "--", "true"]),
                (f"POST /v1/held/{A}", ["accept", A, "--id", "1"]), (f"POST /v1/refresh/{A}", ["refresh", A]),
                (f"POST /v1/reject/{A}", ["reject", A]), ("POST /v1/retry", ["retry"]),
                ("POST /v1/resume", ["resume"]), ("POST /v1/rekey", ["rekey"]),
                (f"POST /v1/rename/{A}", ["rename", A, "zenegy/b"]),
                (f"DELETE /v1/accounts/{A}", ["logout", A, "--yes"]), (f"POST /v1/links/{A}", ["link", A]),
                ("GET /v1/links", ["link", "--list"]), (f"PUT /v1/accounts/{A}", ["import", A]),
                ("GET /v1/authority", ["trust", "export"]), ("GET /v1/events", ["watch"]),
        ]:
            with self.subTest(request):
                self.broker.answers[request] = refusal
                self.assert_says(arguments, 4, "no rule for you", text_in="a-token\n")


class Status(Case):
    def status(self, **members):
        self.broker.answers[f"GET /v1/accounts/{A}"] = account(**members)
        done = self.run_command("status", A)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {" ".join(line.split())for line in done.stdout.splitlines()}

    def test_what_is_unusual(self):
        lines = self.status(state="consent_required", rejected=True, has_refresh_token=False,
                            last_error={"error": "invalid_grant", "description": "gone", "at": 5})
        self.assertIn("access token refused by the API", lines)
        self.assertIn("refresh token none", lines)
        self.assertIn(f"to do tokenbroker login {A}", lines)

    def test_health(self):
        self.broker.answers["GET /v1/health"] = {
            **HEALTH, "status": "degraded",
            "store": {"ok": False, "problem": "the disk is full", "copied": "another machine"},
            "providers": [{"name": "a", "paused": True, "reason": "invalid_client", "probe_at": 1},
                          {"name": "b", "paused": False, "client_secret_next": "refused"},
                          {"name": "c", "paused": False, "client_secret_next": "untried"}]}
        done = self.run_command("health")
        self.assertEqual(done.returncode, FAILED)
        for words in ("broken: the disk is full", "a copy", "a PAUSED: invalid_client",
                      "client_secret_next is refused", "not tried yet"):
            self.assertIn(words, done.stdout)

    def test_rows_that_no_key_opens(self):
        self.broker.answers["POST /v1/rekey"] = {"running": False, "resealed": 3, "unreadable": 2,
                                                 "key_id": "3f"}
        self.assert_says(["rekey"], 0, "sealed with the new key; rows sealed anew: 3",
                         "rows that neither key opens, which stay as they are: 2",
                         "the new key, whose id is 3f")


class Machine(Case):
    """The machine is made up too: folders, and programs in a folder of our own."""

    def setUp(self):
        super().setUp()
        self.programs = os.path.join(self.broker.folder, "bin")
        os.mkdir(self.programs)

    def program(self, name, code, text=""):
        path = os.path.join(self.programs, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\n{text}\nexit {code}\n")
        os.chmod(path, stat.S_IRWXU)


class Doctor(Machine):
    def look(self, *arguments, code=FAILED, **environment):
        done = self.run_command(*arguments, "doctor", "--json",
                                PATH=self.programs, **environment)
        self.assertEqual(done.returncode, code, done.stderr)
        found = {}
        for finding in json.loads(done.stdout)["findings"]:
            found.setdefault(finding["about"], []).append(finding)
        return found

    def assert_found(self, found, about, verdict, text, advice=""):
        self.assertTrue(any((one["verdict"], text in one["text"], advice in one.get("advice", ""))
                            == (verdict, True, True) for one in found[about]), found[about])

    def test_a_broker_that_is_not_well(self):
        self.broker.answers["GET /v1/health"] = {
            **HEALTH, "store": {"ok": False, "problem": "the disk is full", "copied": "a clone"},
            "providers": [{"name": "a", "paused": True, "reason": "the store is a copy"},
                          {"name": "b", "paused": True, "reason": "invalid_client", "probe_at": 1}],
            "callback": [{"listen": "http://127.0.0.1:1", "problem": "held by uid 7"}],
            "consumers": [{"listen": "http://127.0.0.1:2", "problem": "held by uid 8"},
                          {"listen": "http://127.0.0.1:3"}]}
        self.broker.answers["GET /v1/accounts"] = {"accounts": [
            account(f"x/a{number}", state="consent_required",
                    forecast={"warning": "none"}) for number in range(30)]}
        found = self.look()
        self.assert_found(found, "broker", "warn", "0.0.1 answers", "restart the service")
        self.assert_found(found, "store", "fail", "the disk is full", "free space")
        self.assert_found(found, "store", "fail", "a clone", "tokenbroker resume")
        self.assert_found(found, "provider", "fail", "b is paused", "client_secret")
        self.assert_found(found, "callback", "fail", "held by uid 7", "callback.listen")
        self.assert_found(found, "consumers", "fail", "held by uid 8", "consumer's listen")
        self.assert_found(found, "consumers", "ok", "http://127.0.0.1:3 is held")
        self.assert_found(found, "account", "fail", "x/a0", "tokenbroker login x/a0")
        self.assert_found(found, "account", "warn", "more may need", "tokenbroker forecast")
        self.assertEqual(len(found["account"]), 21)

    def test_accounts_that_cannot_be_listed(self):
        self.broker.answers["GET /v1/health"] = HEALTH
        for status, error, code, verdict, text, advice in [
                (500, "internal", FAILED, "fail", "cannot all be listed", "tokenbroker list"),
                (403, "forbidden", 0, "warn", "you may not list them", "somebody who may")]:
            self.broker.answers["GET /v1/accounts"] = (
                status, {"error": error, "error_description": "because"})
            self.assert_found(self.look(code=code), "accounts", verdict, text, advice)

    def test_accounts_whose_refresh_fails(self):
        """Those that lack a token need somebody's look; those that have one do not."""
        self.broker.answers["GET /v1/health"] = HEALTH
        later, error = int(time.time()) + 600, {"error": "unauthorized", "at": 1}
        self.broker.answers["GET /v1/accounts"] = {"accounts": [
            account("x/live", state="suspect", expires_at=later, forecast={"warning": "none"}),
            account("x/none", state="suspect", last_error=error, forecast={"warning": "none"}),
            account("x/over", state="suspect", expires_at=1, forecast={"warning": "none"}),
            account("x/refused", state="suspect", expires_at=later, rejected=True,
                    forecast={"warning": "none"}),
            account("x/endless", state="suspect", refreshed_at=1, forecast={"warning": "none"}),
            account("x/away", last_error={"error": "not_sent"}, forecast={"warning": "none"}),
            account("x/held", last_error=error, expires_at=later, forecast={"warning": "none"}),
            account("x/new", forecast={"warning": "none"})]}
        found = self.look(code=0)
        self.assertEqual([one["text"].split()[0] for one in found["account"]],
                         ["x/none", "x/over", "x/refused", "x/away"])
        self.assert_found(found, "account", "warn", "its refresh fails: unauthorized", "retry x/none")
        self.assert_found(found, "account", "warn", "its refresh fails: not_sent", "retry x/away")
        self.assert_found(found, "accounts", "ok", "4 have all they need")

    def test_no_accounts_yet(self):
        self.broker.answers["GET /v1/health"] = HEALTH
        self.broker.answers["GET /v1/accounts"] = {"accounts": []}
        self.assert_found(self.look(code=0), "accounts", "ok",
                          "none yet; connect one: tokenbroker login PROVIDER/LABEL")

    def test_a_broker_that_does_not_serve_us(self):
        self.broker.answers["GET /v1/health"] = (
            403, {"error": "forbidden", "error_description": "no rule for you"})
        self.assert_found(self.look(), "broker", "fail", "does not serve us: ")

    def test_programs_of_the_machine(self):
        self.broker.answers["GET /v1/health"] = HEALTH
        self.broker.answers["GET /v1/accounts"] = {"accounts": []}
        found = self.look(code=0)
        self.assert_found(found, "configuration", "warn", "tokenbrokerd is not found", "PATH")
        self.assert_found(found, "service", "ok", "no systemctl")
        self.program("tokenbrokerd", 1)
        self.program("systemctl", 0)
        found = self.look()
        self.assert_found(found, "configuration", "fail", "not sound", "--check-config")
        self.assert_found(found, "service", "fail", "has failed", "journalctl")
        self.program("tokenbrokerd", 0)
        self.program("systemctl", 1)
        found = self.look(code=0)
        self.assert_found(found, "service", "ok", "has not failed")
        if os.geteuid() != 0:  # root's configuration is the system's
            self.assert_found(found, "configuration", "warn", "there is no ", "write it")
            os.makedirs(os.path.join(self.broker.folder, ".config/tokenbroker/providers.d"))
            self.assert_found(self.look(code=0), "configuration", "ok", "is sound")
        else:
            known = os.path.exists("/etc/tokenbroker/tokenbroker.conf")
            self.assert_found(found, "configuration", "ok" if known else "warn",
                              "is sound" if known else "there is no /etc/tokenbroker/")

    def test_a_socket_that_is_none(self):
        path = os.path.join(self.broker.folder, "file")
        with open(path, "w", encoding="ascii"):
            pass
        found = self.look("--socket", path)
        self.assert_found(found, "socket", "fail", f"{path} is no socket", "restart the broker")

    def test_a_socket_that_is_not_there(self):
        """What matters is told of the broker, which may answer on another one, or refuse us there."""
        self.broker.answers["GET /v1/health"] = (403, {"error": "forbidden",
                                                       "error_description": "no rule for you"})
        folder = os.path.join(self.broker.folder, "empty")
        found = self.look(XDG_RUNTIME_DIR=folder)
        self.assert_found(found, "broker", "fail", "does not serve us")
        self.assert_found(found, "socket", "ok", f"there is none at {folder}/tokenbroker/api.sock")
        self.assertNotIn("fail", [one["verdict"] for one in found["socket"]])


class Watch(Case):
    def test_an_answer_that_is_none(self):
        self.broker.answers["GET /v1/events"] = 500, "nonsense"
        done = self.run_command("watch")
        self.assertEqual((done.returncode, done.stdout), (FAILED, ""))
        self.assertTrue(done.stderr)


class Trust(Machine):
    def setUp(self):
        super().setUp()
        self.broker.answers["GET /v1/authority"] = {
            "certificate": "PEM", "fingerprint": FINGERPRINT, "subject": "CN=x", "expires_at": 9}
        self.checker()
        self.profile = os.path.join(self.broker.folder, ".mozilla/firefox/one.default")
        os.makedirs(self.profile)
        with open(os.path.join(self.profile, "cert9.db"), "w", encoding="ascii"):
            pass

    def checker(self, code=0, fingerprint=FINGERPRINT, more=""):
        """What looks at the certificate."""
        self.program("tokenbrokerd", code, f"{more}\nread given\n"
                     'test "$1 $given" = "--check-authority PEM" || exit 9\n'
                     f"echo fingerprint {fingerprint}; echo until 2036-01-02; echo subject CN=y")

    def certutil(self, holds, changes):
        """-L says whether it is in, -A and -D whether they could; -N and -H do."""
        self.program("certutil", 0, f'case "$1" in -L) exit {holds} ;; -[AD]) exit {changes} ;; '
                                    "-N) exit 1 ;; esac")

    def assert_trust_says(self, arguments, code, *words, **more):
        self.assert_says(["trust", *arguments], code, *words, PATH=self.programs, **more)

    def test_an_answer_that_is_not_understood(self):
        for answer in ({}, {"certificate": "x", "fingerprint": "short"},
                       {"certificate": "", "fingerprint": FINGERPRINT}):
            with self.subTest(answer):
                self.broker.answers["GET /v1/authority"] = answer
                self.assert_says(["trust", "export"], FAILED, "not understood")

    def test_the_broker_is_not_believed(self):
        self.certutil(1, 0)
        for checker, words in [
                ({"code": 1, "more": "echo 'too wide' >&2; echo more; exit 1"},
                 "is no authority for this computer alone: too wide"),
                ({"code": 2}, "is no authority for this computer alone"),
                ({"fingerprint": "cd" * 32}, "is not the one that it says, with the fingerprint ab"),
                ({"fingerprint": "short"}, "is not the one that it says"),
                ({"more": "exit 0"}, "is not the one that it says"),
                ({"more": "kill -9 $$"}, f"{self.programs}/tokenbrokerd could not look at"),
                ({"more": "while echo 0123456789; do i=$i.; test ${#i} -lt 500 || exit 0; done"},
                 f"{self.programs}/tokenbrokerd could not look at")]:
            with self.subTest(words):
                self.checker(**checker)
                self.assert_trust_says(["install", "--yes"], FAILED, words)
                self.assert_trust_says(["export"], FAILED, words)
        self.checker()
        self.assert_trust_says(["install"], FAILED, "CN=y", "ends 2036-01-02; vouches for localhost")
        os.unlink(os.path.join(self.programs, "tokenbrokerd"))
        for arguments in (["install", "--yes"], ["export"]):
            self.assert_trust_says(arguments, FAILED, "neither beside this command nor in $PATH")
        self.certutil(0, 0)
        self.assert_trust_says(["remove", "--yes"], 0, "trusts it no longer")

    def test_the_checker_is_the_one_beside_and_gets_no_environment(self):
        self.certutil(1, 0)
        self.checker(code=1, more="echo the wrong one >&2")
        beside = os.path.join(self.broker.folder, "installed")
        os.mkdir(beside)
        command = shutil.copy(COMMAND, beside)
        seen = os.path.join(self.broker.folder, "seen")
        there, self.programs = self.programs, beside
        self.checker(more=f"/usr/bin/env >{seen}")
        done = self.run_command("trust", "export", program=command, PATH=there, LD_DEBUG_OUTPUT="x",
                                TOKENBROKERD="/bin/false")
        self.assertEqual((done.returncode, done.stdout), (0, "PEM"), done.stderr)
        with open(seen, encoding="ascii") as file:
            self.assertLessEqual({line.partition("=")[0] for line in file},
                                 {"PWD", "OLDPWD", "SHLVL", "_", "PATH"})

    def test_no_program_and_no_home(self):
        self.assert_trust_says(["install", "--yes"], FAILED, "certutil is missing", "libnss3-tools")
        self.certutil(1, 0)
        for arguments in (["install", "--yes"], ["remove", "--yes"], ["status"]):
            self.assert_trust_says(arguments, FAILED, "$HOME is not set", HOME="")

    def test_nobody_can_be_asked(self):
        self.certutil(1, 0)
        self.assert_trust_says(["install"], FAILED, "SHA-256 " + FINGERPRINT, self.profile,
                               "nobody can be asked here: nothing was changed; add --yes")

    def test_installed_and_removed(self):
        self.certutil(0, 0)
        self.assert_trust_says(["install", "--yes"], FAILED, ".pki/nssdb cannot be made")
        os.makedirs(os.path.join(self.broker.folder, ".pki/nssdb"), exist_ok=True)
        with open(os.path.join(self.broker.folder, ".pki/nssdb/cert9.db"), "w", encoding="ascii"):
            pass
        self.assert_trust_says(["install", "--yes"], 0, "it is trusted already")
        self.assert_trust_says(["remove", "--yes"], 0, f"{self.profile}: trusts it no longer")
        self.certutil(1, 0)
        self.assert_trust_says(["install", "--yes"], 0, f"{self.profile}: trusts it now",
                               "started anew")
        self.assert_trust_says(["remove", "--fingerprint", FINGERPRINT], 0, "it is trusted nowhere")

    def test_what_cannot_be_changed(self):
        self.certutil(1, 1)
        self.assert_trust_says(["install", "--yes"], FAILED, f"{self.profile} could not be changed")
        self.certutil(0, 1)
        self.assert_trust_says(["remove", "--yes"], FAILED, f"{self.profile} could not be changed")

    def test_doctor_looks_whether_it_is_trusted(self):
        self.broker.answers["GET /v1/health"] = {
            **HEALTH, "callback": [{"listen": "https://localhost:1", "bound": True}]}
        self.broker.answers["GET /v1/accounts"] = {"accounts": []}
        for holds, words in [(0, "trusted by"), (1, "not trusted by")]:
            self.certutil(holds, 0)
            done = self.run_command("doctor", PATH=self.programs)
            self.assertIn(f"https: {words} {self.profile}", done.stdout)
        os.unlink(os.path.join(self.programs, "certutil"))
        done = self.run_command("doctor", PATH=self.programs)
        self.assertIn("whether browsers trust the callback cannot be seen", done.stdout)


if __name__ == "__main__":
    unittest.main()
