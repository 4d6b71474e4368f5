"""The command against a fake broker: output to the byte, terminals, signals."""

import fcntl
import http.server
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time
import unittest

from fake_broker import COMMAND, TIMEOUT, FakeBroker, account, free_socket, token

TOKEN = "GET /v1/token/zenegy/acme"
LOGIN_ID = "a" * 43
LOGIN = {"login_id": LOGIN_ID, "account": "zenegy/acme",
         "start_url": "http://localhost:8765/start/n", "expires_in": 600,
         "authorize_url": "https://auth.example.com/a?b=c",
         "redirect_uri": "http://localhost:8765/callback/zenegy"}

NO_VARIABLES = "".join(f"TOKENBROKER_{name}=''\n" for name in (
    "ACCESS_TOKEN", "TOKEN_TYPE", "API_BASE", "EXPIRES_AT", "EXPIRES_IN"))


def now():
    return int(time.time())


class Case(unittest.TestCase):
    def setUp(self):
        self.broker = FakeBroker()
        self.addCleanup(self.broker.close)

    def run_command(self, *arguments, **more):
        return self.broker.run(*arguments, **more)

    def on_terminal(self, *arguments, typed=(), until=None, columns=80, kill=None, **more):
        """On a terminal of its own; returns (exit code, everything on the screen). Whenever the
        screen shows `until`, the next of typed is typed, or the signal is sent."""
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = self.broker.environment(TERM="xterm", **more)
        process = subprocess.Popen([COMMAND, *arguments], env=environment, stdin=terminal,
                                   stdout=terminal, stderr=terminal, start_new_session=True)
        os.close(terminal)
        screen, deadline, typed, shown = "", time.monotonic() + TIMEOUT, list(typed), 0
        while time.monotonic() < deadline:
            if not select.select([controller], [], [], 0.1)[0]:
                continue
            try:
                screen += os.read(controller, 4096).decode()
            except OSError:
                break
            if until and screen.count(until) > shown:
                shown += 1
                if kill:
                    process.send_signal(kill)
                if typed:
                    os.write(controller, typed.pop(0).encode())
        os.close(controller)
        return process.wait(TIMEOUT), screen.replace("\r\n", "\n")


class Decide(Case):
    """accept and discard on a terminal: what is held is shown, and meant."""

    QUESTION = "[y/N]"

    def setUp(self):
        super().setUp()
        self.broker.answers["POST /v1/held/zenegy/acme"] = account()
        self.broker.answers["GET /v1/accounts/zenegy/acme"] = account()
        self.broker.answers["GET /v1/held"] = {"held": [
            {"account": "zenegy/aaaa", "id": 6, "held_identity": "0815", "created_at": now()},
            {"account": "zenegy/acme", "id": 7, "identity": "4711", "held_identity": "47\x1b[2J12",
             "created_at": now() - 7200}]}

    def decided(self):
        return [json.loads(body) for method, _, body in self.broker.seen if method == "POST"]

    def test_yes(self):
        for command in ("accept", "discard"):
            code, screen = self.on_terminal(command, "zenegy/acme", typed=["y\n"],
                                            until=self.QUESTION)
            self.assertEqual(code, 0, screen)
            self.assertRegex(screen, "zenegy/acme, 2 h ago: the consent of 47.*12")
            self.assertNotIn("\x1b[2J", screen)
        self.assertEqual(self.decided(), [{"decision": "accept", "id": 7},
                                          {"decision": "discard", "id": 7}])

    def test_the_question_is_what_will_be_done(self):
        """What may be the same person's is not revoked; and a first consent has none before it."""
        held = self.broker.answers["GET /v1/held"]["held"][1]
        for generation, mine, theirs, accept, discard in [
                (1, "4711", "4712", "grant, and revoke the one before?",
                 "Revoke and forget it? The account's grant stays."),
                (1, "", "4712", "grant? The one before is not revoked",
                 "Forget it? The account's grant stays, and it is not revoked"),
                (1, "4711", "", "grant? The one before is not revoked",
                 "Forget it? The account's grant stays, and it is not revoked"),
                (0, "", "4712", "Make it the account's grant? [y/N]",
                 "Revoke and forget it, and the account, which has no other grant?"),
                (0, "", "", "Make it the account's grant? [y/N]",
                 "Revoke and forget it, and the account, which has no other grant?")]:
            self.broker.answers["GET /v1/accounts/zenegy/acme"] = account(generation=generation)
            held.update(identity=mine, held_identity=theirs)
            for command, question in [("accept", accept), ("discard", discard)]:
                _, screen = self.on_terminal(command, "zenegy/acme", typed=["n\n"],
                                             until=self.QUESTION)
                self.assertIn(question, screen)

    def test_no(self):
        code, screen = self.on_terminal("accept", "zenegy/acme", typed=["\n"],
                                        until=self.QUESTION)
        self.assertEqual(code, 1)
        self.assertIn("nothing was done", screen)
        self.assertEqual(self.decided(), [])

    def test_the_number_says_it(self):
        code, screen = self.on_terminal("accept", "zenegy/acme", "--id", "7")
        self.assertEqual(code, 0, screen)
        self.assertNotIn(self.QUESTION, screen)

    def test_nothing_is_held(self):
        code, screen = self.on_terminal("discard", "zenegy/other")
        self.assertEqual(code, 1)
        self.assertIn("no consent is held for zenegy/other", screen)
        self.broker.answers["GET /v1/held"] = 403, {"error": "forbidden",
                                                    "error_description": "no rule for you"}
        self.assertEqual(self.on_terminal("discard", "zenegy/other")[0], 4)

    def test_nobody_knows_whose(self):
        self.broker.answers["GET /v1/held"]["held"][1]["held_identity"] = ""
        _, screen = self.on_terminal("accept", "zenegy/acme", typed=["n\n"], until=self.QUESTION)
        self.assertIn("of an unknown identity", screen)


class Token(Case):
    def test_formats(self):
        self.broker.answers[TOKEN] = token("t'k\"\\", api_base="https://api")
        for form, text in [
                ("plain", "t'k\"\\\n"),
                ("header", "Authorization: Bearer t'k\"\\\n"),
                ("curl", 'header = "Authorization: Bearer t\'k\\"\\\\"\n'),
                ("env", "TOKENBROKER_ACCESS_TOKEN='t'\\''k\"\\'\nTOKENBROKER_TOKEN_TYPE='bearer'\n"
                        "TOKENBROKER_API_BASE='https://api'\nTOKENBROKER_EXPIRES_AT='2000000000'\n"
                        "TOKENBROKER_EXPIRES_IN='100'\n")]:
            with self.subTest(form):
                done = self.run_command("token", "zenegy/acme", "--format", form)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, text, ""))

    def test_a_shell_takes_the_variables(self):
        self.broker.answers[TOKEN] = token("a' b$(c)`d`\"")
        done = self.run_command("-c", 'eval "$($0 token zenegy/acme --format env)"; '
                                'printf %s "$TOKENBROKER_ACCESS_TOKEN"', COMMAND,
                                program="/bin/sh")
        self.assertEqual(done.stdout, "a' b$(c)`d`\"")

    def test_a_failure_leaves_no_variables(self):
        """Those that another account has left in the shell go; the failure is eval's."""
        self.broker.answers[TOKEN] = (
            404, {"error": "unknown_account", "error_description": "there is no account"})
        for name, socket, code in [("zenegy/acme", self.broker.socket, 5),
                                   ("zenegy//acme", self.broker.socket, 2),
                                   ("zenegy/acme", free_socket(), 7)]:
            arguments = ("--socket", socket, "token", name, "--format", "env")
            done = self.run_command(*arguments)
            self.assertEqual((done.returncode, done.stdout),
                             (code, NO_VARIABLES + f"(exit {code})\n"))
            for shell in ("sh", "bash"):
                done = self.run_command(
                    "-c", 'TOKENBROKER_ACCESS_TOKEN=other; eval "$("$0" "$@")"; '
                    'printf "%s," "$?" "$TOKENBROKER_ACCESS_TOKEN"; set -e; eval "$("$0" "$@")"; '
                    'echo goes on', COMMAND, *arguments, program=f"/bin/{shell}")
                self.assertEqual((done.stdout, done.returncode), (f"{code},,", code))

    def test_nor_does_a_wrong_command_line(self):
        """As a shell makes it of a variable that is not set, or not quoted."""
        asked = ("token", "zenegy/acme", "--format", "env")
        for arguments in [("token", "--format", "env"),
                          ("token", "zenegy/acme", "zenegy/b", "--format", "env"),
                          ("token", "a", "b", "c", "--format=env"),
                          (*asked, "--", "zenegy/b"),
                          (*asked, "--wait", "5x"),
                          ("token", "zenegy/acme", "--wait", "5x", "--format", "env"),
                          (*asked, "--wiat", "5s"),
                          ("token", "zenegy/acme", "--wiat", "5s", "--format", "env"),
                          ("token", "zenegy/acme", "--min-ttl", "--format", "env"),
                          ("token", "zenegy/acme", "--socket", "--format=env"),
                          ("--socket", "", *asked),
                          ("--sokcet=/x", *asked)]:
            with self.subTest(arguments):
                done = self.run_command(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, NO_VARIABLES + "(exit 2)\n"))
                self.assertIn("try: tokenbroker token --help", done.stderr)
        self.assertEqual(self.broker.seen, [])
        self.assertEqual(self.run_command("token", "--format", "plain").stdout, "")

    def test_query_presentation(self):
        self.broker.answers[TOKEN] = token("t k&\"", "query", "access_token")
        done = self.run_command("token", "zenegy/acme", "--format", "curl")
        self.assertEqual(done.stdout, 'url-query = "access_token=t k&\\""\n')
        done = self.run_command("token", "zenegy/acme", "--format=header")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("access_token", done.stderr)

    def test_curl_understands(self):
        seen = []

        class Api(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                seen.append((self.path, self.headers["Authorization"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        api = http.server.HTTPServer(("127.0.0.1", 0), Api)
        self.addCleanup(api.server_close)
        threading.Thread(target=api.serve_forever, daemon=True).start()
        self.addCleanup(api.shutdown)
        for answer in (token('h"1'), token("q 1&", "query", "key")):
            self.broker.answers[TOKEN] = answer
            config = self.run_command("token", "zenegy/acme", "--format", "curl").stdout
            subprocess.run(["curl", "-s", "--noproxy", "*", "-K", "-",
                            f"http://127.0.0.1:{api.server_port}/x"], input=config, text=True,
                           timeout=TIMEOUT, check=True)
        self.assertEqual(seen[0], ("/x", 'Bearer h"1'))
        self.assertIn(seen[1][0], ("/x?key=q%201%26", "/x?key=q+1%26"))

    def test_control_characters_are_not_passed_on(self):
        self.broker.answers[TOKEN] = token("a\r\nX: y")
        for form in ("plain", "header", "curl"):
            done = self.run_command("token", "zenegy/acme", "--format", form)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
        done = self.run_command("token", "zenegy/acme", "--json")
        self.assertEqual(json.loads(done.stdout)["access_token"], "a\r\nX: y")
        for answer in (token("a\r\nX: y"), token(token_type="\x1b[2J")):
            self.broker.answers[TOKEN] = answer
            done = self.run_command("token", "zenegy/acme", "--format", "env")
            self.assertEqual((done.returncode, done.stdout), (1, NO_VARIABLES + "(exit 1)\n"))

    def test_parameters(self):
        self.broker.answers[TOKEN] = token()
        self.run_command("token", "zenegy/acme", "--min-ttl", "5min", "--wait=2s")
        self.run_command("token", "zenegy/acme", "--min-ttl=1", "--json")
        self.assertEqual([path for _, path, _ in self.broker.seen],
                         ["/v1/token/zenegy/acme?min_ttl=300&wait=2",
                          "/v1/token/zenegy/acme?wait=30&min_ttl=1"])

    def test_output_that_cannot_be_written(self):
        self.broker.answers[TOKEN] = token()
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([COMMAND, "token", "zenegy/acme"], stdout=full,
                                  stderr=subprocess.PIPE, env=self.broker.environment(),
                                  check=False, timeout=TIMEOUT)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"No space left", done.stderr)


class Failures(Case):
    def test_exit_codes(self):
        for code, status, exit_code in [
                ("bad_request", 400, 2), ("forbidden", 403, 4), ("unknown_account", 404, 5),
                ("unknown_provider", 404, 5), ("not_found", 404, 1), ("consent_required", 409, 3),
                ("too_many_requests", 429, 1), ("internal", 500, 1), ("provider_rejected", 502, 6),
                ("provider_unavailable", 503, 6), ("busy", 503, 1), ("timeout", 504, 6)]:
            self.broker.answers[TOKEN] = (status, {"error": code, "error_description": "because"})
            done = self.run_command("token", "zenegy/acme")
            self.assertEqual((done.returncode, done.stdout), (exit_code, ""))
            self.assertTrue(done.stderr.startswith(f"tokenbroker: because ({code})\n"))
            self.assertIn(f"asked the broker on {self.broker.socket} about zenegy/acme\n",
                          done.stderr)

    def test_hints(self):
        self.broker.answers[TOKEN] = (409, {"error": "consent_required", "error_description": "x",
                                            "start_url": "http://localhost/start"})
        done = self.run_command("token", "zenegy/acme")
        self.assertIn("a person has to consent: http://localhost/start\n", done.stderr)

    def test_what_the_broker_says_is_not_said_again(self):
        """A consent that is held wants an admin, no login: the broker's advice is the only one."""
        for words in ("zenegy/acme needs a consent: run `tokenbroker login zenegy/acme`",
                      "zenegy/acme has a consent that is held: an admin runs `tokenbroker accept "
                      "zenegy/acme`, or discard"):
            self.broker.answers[TOKEN] = (409, {"error": "consent_required", "account": "zenegy/acme",
                                                "error_description": words})
            self.assertEqual(
                self.run_command("token", "zenegy/acme").stderr,
                f"tokenbroker: {words} (consent_required)\n"
                f"asked the broker on {self.broker.socket} about zenegy/acme\n")

    def test_an_account_that_is_not_there(self):
        """The broker says how it is connected, where that is what was wanted."""
        self.broker.answers[TOKEN] = (404, {"error": "unknown_account",
                                            "error_description": "there is no account zenegy/acme"})
        self.assertEqual(
            self.run_command("token", "zenegy/acme").stderr,
            "tokenbroker: there is no account zenegy/acme (unknown_account)\n"
            f"asked the broker on {self.broker.socket} about zenegy/acme\n")

    def test_terminal_is_not_steered(self):
        self.broker.answers[TOKEN] = (500, {"error": "internal", "error_description": "\x1b[2Jx\n"})
        self.assertIn("?[2Jx? (internal)", self.run_command("token", "zenegy/acme").stderr)

    def test_no_broker(self):
        path = free_socket()
        done = self.run_command("--socket", path, "token", "zenegy/acme")
        self.assertEqual(done.returncode, 7)
        self.assertIn(f"{path} (Connection refused)", done.stderr)
        self.assertIn("systemctl --user start tokenbroker", done.stderr)

    def test_mistyped(self):
        for arguments, hint in [(["tokn", "x"], "did you mean token?"),
                                (["token", "x", "--min-tll=3"], "did you mean --min-ttl?"),
                                (["--sockt", "x"], "did you mean --socket?"),
                                (["token", "a", "b"], "too many arguments"),
                                (["token"], "an argument is missing"),
                                (["exec", "a/b", "true"], "'--' and a command are missing"),
                                (["token", "--format"], "--format needs FORMAT"),
                                (["reject", "zenegy/acme", "--fingerprint", "x"], "43"),
                                (["retry", "A/b"], "neither a provider nor an account")]:
            done = self.run_command(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(hint, done.stderr)
        self.assertEqual(self.broker.seen, [])

    def test_socket_before_and_behind(self):
        self.broker.answers[TOKEN] = token()
        for arguments in (["--socket", self.broker.socket, "token", "zenegy/acme"],
                          ["token", "--socket=" + self.broker.socket, "zenegy/acme"],
                          ["token", "zenegy/acme", "--socket", self.broker.socket]):
            done = self.run_command(*arguments, TOKENBROKER_SOCKET="/nonexistent")
            self.assertEqual(done.stdout, "t0k\n")


class Secrets(Case):
    def test_reject_reads_stdin(self):
        self.broker.answers["POST /v1/reject/zenegy/acme"] = {"account": "zenegy/acme",
                                                              "rejected": True}
        for text in ("t0k\n", "t0k", "t0k\r\nmore\n", "t0k \n"):
            self.assertEqual(self.run_command("reject", "zenegy/acme", text_in=text).returncode, 0)
            self.assertEqual(json.loads(self.broker.seen[-1][2]), {"access_token": "t0k"})
        self.run_command("reject", "zenegy/acme", "--fingerprint", "f" * 43)
        self.assertEqual(json.loads(self.broker.seen[-1][2]), {"fingerprint": "f" * 43})

    def test_nothing_on_stdin(self):
        for text in ("", "\n", "x" * 60000):
            done = self.run_command("import", "zenegy/acme", text_in=text)
            self.assertEqual(done.returncode, 2)
        self.assertEqual(self.broker.seen, [])

    def test_import(self):
        self.broker.answers["PUT /v1/accounts/zenegy/acme"] = account(expires_at=now() + 1800)
        secret = "r" * 30000
        done = self.run_command("import", "zenegy/acme", "--scope", "a b", text_in=secret)
        self.assertEqual(json.loads(self.broker.seen[-1][2]),
                         {"refresh_token": secret, "scope": "a b"})
        self.assertIn("zenegy/acme: imported, active", done.stderr)
        self.run_command("import", "zenegy/acme", "--access-token", text_in="x")
        self.assertEqual(json.loads(self.broker.seen[-1][2]), {"access_token": "x"})

    def test_a_terminal_does_not_show_it(self):
        self.broker.answers["PUT /v1/accounts/zenegy/acme"] = account()
        code, screen = self.on_terminal("import", "zenegy/acme", until="Refresh token: ",
                                        typed=["sexret\x7f\x7f\x7f\x7fcret" + "z" * 6000 + "\r"])
        self.assertEqual(code, 0, screen)
        self.assertNotIn("cret", screen)
        self.assertEqual(json.loads(self.broker.seen[-1][2])["refresh_token"],
                         "secret" + "z" * 6000)

    def test_not_dumpable(self):
        self.broker.answers[TOKEN] = token()
        done = self.run_command("exec", "zenegy/acme", "--", "/bin/sh", "-c",
                                "ulimit -c; printf %s $TOKENBROKER_ACCESS_TOKEN")
        self.assertTrue(done.stdout.endswith("\nt0k"))
        self.assertEqual(self.run_command("exec", "zenegy/acme", "--", "/nonexistent").returncode,
                         127)


class Facts(Case):
    def test_list_in_pages(self):
        pages = [{"accounts": [account("a/b", expires_at=now() + 1830, identity="4711")],
                  "next": "a/b"},
                 {"accounts": [account("a/c", state="consent_required")]}]
        self.broker.answers["GET /v1/accounts"] = lambda: pages[len(self.broker.seen) - 1]
        done = self.run_command("list")
        self.assertEqual(done.stdout.split("\n")[0].split()[-2:], ["IDENTITY", "DIES"])
        self.assertEqual(done.stdout.split("\n")[1:],
                         ["a/b      active         in 30 min            4711",
                          "a/c      needs consent", ""])
        self.assertEqual(self.broker.seen[1][1], "/v1/accounts?limit=500&after=a/b")
        self.broker.seen.clear()
        names = json.loads(self.run_command("list", "--json").stdout)["accounts"]
        self.assertEqual([one["account"] for one in names], ["a/b", "a/c"])

    def test_pages_are_in_the_order_of_providers(self):
        """A page's end goes back as it is, whatever is in it."""
        ends = ["plain/a+b", "plain/z", "plain-b/a", None]
        self.broker.answers["GET /v1/accounts"] = lambda: {
            "accounts": [], "next": ends[len(self.broker.seen) - 1]}
        self.assertEqual(self.run_command("list", "--json").returncode, 0)
        self.assertEqual([path.partition("?limit=500")[2] for _, path, _ in self.broker.seen],
                         ["", "&after=plain/a%2Bb", "&after=plain/z", "&after=plain%2Db/a"])

    def test_a_list_in_circles_ends(self):
        self.broker.answers["GET /v1/accounts"] = {"accounts": [account("a/b")], "next": "a/b"}
        self.assertEqual(self.run_command("list").returncode, 1)

    def test_list_fits_a_terminal(self):
        long = "p" * 32 + "/" + "l" * 64
        self.broker.answers["GET /v1/accounts"] = {"accounts": [
            account(long, identity="i" * 100, state="suspect", expires_at=now() + 1830)]}
        code, screen = self.on_terminal("list")
        self.assertEqual(code, 0)
        plain = screen.replace("\x1b[33m", "").replace("\x1b[0m", "")
        self.assertLess(len(plain), len(screen), "a terminal has colours")
        self.assertTrue(all(len(line) <= 80 for line in plain.split("\n")), plain)
        self.assertNotIn("\x1b", self.on_terminal("list", NO_COLOR="1")[1])
        self.assertIn(long, self.run_command("list").stdout)

    def test_status_of_an_account(self):
        self.broker.answers["GET /v1/accounts/zenegy/acme"] = account(
            state="suspect", scope="read:branch " * 20, expires_at=now() - 300,
            last_error={"error": "invalid_request", "error_description": "d", "at": now() - 3600})
        done = self.run_command("status", "zenegy/acme")
        self.assertIn("access token   ended 5 min ago\n", done.stdout)
        self.assertIn("last error     invalid_request: d, 60 min ago\n", done.stdout)
        _, screen = self.on_terminal("status", "zenegy/acme")
        plain = screen.replace("\x1b[33m", "").replace("\x1b[0m", "")
        self.assertTrue(all(len(line) <= 80 for line in plain.split("\n")), plain)

    def test_status_of_the_broker(self):
        self.broker.answers["GET /v1/health"] = {
            "status": "degraded", "version": "9", "store": {"ok": True},
            "accounts": {"active": 1, "suspect": 0, "consent_required": 1},
            "providers": [{"name": "gusto", "paused": True, "reason": "invalid_client",
                           "probe_at": now() + 2450}],
            "callback": [{"listen": "http://localhost:8765", "bound": False, "problem": "taken"},
                         {"listen": "http://localhost:8766", "bound": False}]}
        self.broker.answers["GET /v1/accounts"] = {"accounts": [
            account("a/b", state="consent_required"), account("a/c")]}
        done = self.run_command("status")
        for line in (f"broker         {self.broker.socket}", "health         degraded",
                     "accounts       1 active, 0 suspect, 1 needing consent",
                     "provider       gusto PAUSED: invalid_client, next try in 40 min",
                     "callback       http://localhost:8765 not held: taken",
                     "callback       http://localhost:8766 free; held while a login is pending",
                     "to do          tokenbroker login a/b"):
            self.assertIn(line + "\n", done.stdout)
        self.assertNotIn("a/c", done.stdout)
        facts = json.loads(self.run_command("status", "--json").stdout)
        self.assertEqual(facts["health"]["version"], "9")
        self.assertEqual([one["account"] for one in facts["consent_required"]], ["a/b"])
        self.assertEqual(self.run_command("health").returncode, 1)

    def test_audit(self):
        self.broker.answers["GET /v1/audit"] = {"audit": [
            {"id": 9, "account": "a/b", "uid": 1000, "verdict": "token", "generation": 1,
             "count": 40, "first_at": now() - 90, "last_at": now() - 60, "unit": "x.service"}]}
        done = self.run_command("audit", "a/b", "--limit", "5")
        self.assertRegex(done.stdout, r"6\d s ago +a/b +1000 +token +40 +x.service\n")
        self.assertEqual(self.broker.seen[0][1], "/v1/audit?limit=5&account=a/b")
        self.assertEqual(done.stderr, "")
        self.broker.answers["GET /v1/audit"] = {"audit": []}
        done = self.run_command("audit", "--verdict", "tokn")
        self.assertEqual((done.returncode, done.stderr), (0, "the audit has no such row\n"))

    def test_help_fits(self):
        words = self.run_command("--help").stdout
        self.assertTrue(all(len(line) <= 80 for line in words.split("\n")), words)
        commands = re.findall(r"^  ([a-z]+) ", words, re.M)
        self.assertTrue({"login", "resume", "rekey", "audit"} <= set(commands))
        for command in commands:
            done = self.run_command(command, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(done.stdout, self.run_command("help", command).stdout)
            self.assertTrue(all(len(one) <= 80 for one in done.stdout.split("\n")), done.stdout)


class Changes(Case):
    def test_logout_asks(self):
        self.broker.answers["DELETE /v1/accounts/zenegy/acme"] = {"account": "zenegy/acme",
                                                                  "forgotten": True}
        for typed, code in (("n\n", 1), ("\n", 1), ("y\n", 0)):
            self.assertEqual(self.on_terminal("logout", "zenegy/acme", until="[y/N] ",
                                              typed=[typed])[0], code)
        self.assertEqual(len(self.broker.seen), 1)
        self.assertEqual(self.on_terminal("logout", "zenegy/acme", "--yes")[0], 0)

    def test_logout_where_nobody_can_be_asked(self):
        """A grant is not to end by a line in a script that a person has not thought of."""
        self.broker.answers["DELETE /v1/accounts/zenegy/acme"] = {"account": "zenegy/acme",
                                                                  "forgotten": True}
        done = self.run_command("logout", "zenegy/acme", text_in="y\n")
        self.assertEqual((done.returncode, self.broker.seen), (1, []))
        self.assertIn("nobody can be asked here: nothing was changed; add --yes", done.stderr)
        self.assertEqual(self.run_command("logout", "zenegy/acme", "--yes").returncode, 0)

    def test_refresh_waits_for_the_limit(self):
        answers = [(429, {"error": "too_many_requests", "error_description": "x",
                          "retry_after": 1}), account()]
        self.broker.answers["POST /v1/refresh/zenegy/acme"] = lambda: answers.pop(0)
        self.assertEqual(self.run_command("refresh", "zenegy/acme").returncode, 0)

    def test_retry(self):
        for what in ("", "/zenegy", "/zenegy/acme"):
            self.broker.answers["POST /v1/retry" + what] = {"retried": True}
            arguments = [what[1:]] if what else []
            self.assertEqual(self.run_command("retry", *arguments).returncode, 0)


class Login(Case):
    def setUp(self):
        super().setUp()
        self.broker.answers["POST /v1/login/zenegy/acme"] = LOGIN
        self.path = f"/v1/logins/{LOGIN_ID}"
        self.broker.answers["DELETE " + self.path] = {"login_id": LOGIN_ID, "status": "cancelled"}

    def ends(self, status, **members):
        return {"login_id": LOGIN_ID, "account": "zenegy/acme", "status": status, **members}

    def slow(self, *ends):
        """Pending now; the ends later."""
        left = list(ends)

        def answer():
            time.sleep(0.2)
            return left.pop(0) if left else self.ends("pending")
        self.broker.answers["GET " + self.path] = answer

    def test_words(self):
        self.slow(self.ends("pending"), self.ends("exchanging"),
                  self.ends("done", identity="4711", expires_at=now() + 1830, warning="mind me"))
        done = self.run_command(
            "login", "zenegy/acme", "--scope", "a b", "--param", "x=y=z", "--param", 'q"=1')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(self.broker.seen[0][2]),
                         {"scope": "a b", "params": {"x": "y=z", 'q"': "1"}})
        self.assertIn("    http://localhost:8765/start/n\n", done.stderr)
        self.assertRegex(done.stderr, r"    ssh -L 8765:127\.0\.0\.1:8765 \S+@\S+\n")
        self.assertIn("zenegy/acme: connected, identity 4711, access token ends in 30 min\n",
                      done.stderr)
        self.assertIn("mind me", done.stderr)

    def test_denied(self):
        self.slow(self.ends("failed", error="access_denied", error_description="said no"))
        done = self.run_command("login", "zenegy/acme")
        self.assertEqual(done.returncode, 1)
        self.assertIn("zenegy/acme: access was not granted: said no", done.stderr)

    def browser(self):
        """(the $PATH with an xdg-open, the file that then has what it was told to open)."""
        bin_folder = os.path.join(self.broker.folder, "bin")
        os.mkdir(bin_folder)
        opened = os.path.join(self.broker.folder, "opened")
        script = os.path.join(bin_folder, "xdg-open")
        with open(script, "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\necho "$@" >{opened}.new && mv {opened}.new {opened}\n')
        os.chmod(script, 0o755)
        return f"{bin_folder}:/usr/bin:/bin", opened

    def started_with(self, *arguments, **more):
        """What the broker is told when a login begins."""
        self.slow(self.ends("done"))
        self.broker.seen.clear()
        self.run_command("login", "zenegy/acme", *arguments, **more)
        return json.loads(self.broker.seen[0][2])

    def test_only_who_opens_the_link_itself_says_so(self):
        paths, _ = self.browser()
        shown = {"DISPLAY": ":0", "PATH": paths}
        self.assertEqual(self.started_with(**shown), {"own_browser": True})
        self.assertEqual(self.started_with("--scope", "a", **shown),
                         {"own_browser": True, "scope": "a"})
        self.assertEqual(self.started_with(WAYLAND_DISPLAY="w", PATH=paths), {"own_browser": True})
        for arguments, more in [(["--no-browser"], shown), ([], {"PATH": paths}),
                                ([], {"DISPLAY": "", "PATH": paths}),
                                ([], {"DISPLAY": ":0", "PATH": "/nowhere:.:"})]:
            self.assertEqual(self.started_with(*arguments, **more), {}, (arguments, more))
        self.assertEqual(self.started_with("--paste", **shown), {"mode": "paste"})

    def test_who_is_another_user_for_this_command_alone_opens_no_browser(self):
        """The display is left to them by sudo, but the person's browser is not theirs."""
        paths, opened = self.browser()
        os.chmod(self.broker.folder, 0o755)
        os.chmod(self.broker.socket, 0o777)
        command = shutil.copy(COMMAND, self.broker.folder)  # the tree may be root's alone
        users = [[]] + [["setpriv", "--reuid=65534", "--clear-groups"]] * (os.geteuid() == 0)
        for name, value in [("SUDO_UID", "1000"), ("DOAS_USER", "me")]:
            for user in users:
                self.slow(self.ends("done"))
                self.broker.seen.clear()
                self.run_command("-c", 'exec "$@"', "sh", *user, command, "login", "zenegy/acme",
                                 program="/bin/sh", DISPLAY=":0", PATH=paths, **{name: value})
                self.assertEqual(json.loads(self.broker.seen[0][2]), {}, (name, user))
                self.assertFalse(os.path.exists(opened))

    def test_browser(self):
        self.slow(self.ends("done"))
        paths, opened = self.browser()
        self.run_command("login", "zenegy/acme", "--no-browser", DISPLAY=":0", PATH=paths)
        self.slow(self.ends("done"))
        self.assertFalse(os.path.exists(opened))
        done = self.run_command("login", "zenegy/acme", DISPLAY=":0", PATH=paths)
        deadline = time.monotonic() + TIMEOUT
        while not os.path.exists(opened) and time.monotonic() < deadline:
            time.sleep(0.05)
        with open(opened, encoding="ascii") as file:
            self.assertEqual(file.read(), LOGIN["start_url"] + "\n")
        self.assertNotIn("ssh", done.stderr)

    def test_signals_cancel(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self.slow()
            self.broker.seen.clear()
            code, screen = self.on_terminal("login", "zenegy/acme", until="cancels.", kill=number)
            self.assertEqual(code, -number, screen)
            self.assertIn("cancelled", screen)
            self.assertIn(("DELETE", self.path), [one[:2] for one in self.broker.seen])

    def test_paste_on_a_terminal(self):
        answers = [(400, {"error": "bad_request", "error_description": "another state"}),
                   self.ends("done")]
        self.broker.answers["POST " + self.path] = lambda: answers.pop(0)
        code, screen = self.on_terminal("login", "zenegy/acme", "--paste", until="(not shown): ",
                                        typed=["http://wrong/\r", "http://x/?code=s3cret\r"])
        self.assertEqual(code, 0, screen)
        self.assertNotIn("s3cret", screen)
        self.assertIn(LOGIN["authorize_url"], screen)
        self.assertEqual(json.loads(self.broker.seen[-1][2]), {"redirect": "http://x/?code=s3cret"})

    def test_interrupted_paste_gives_the_terminal_back(self):
        code, screen = self.on_terminal("login", "zenegy/acme", "--paste", until="(not shown): ",
                                        kill=signal.SIGINT)
        self.assertEqual(code, -signal.SIGINT, screen)
        self.assertEqual(self.broker.seen[-1][:2], ("DELETE", self.path))

    def test_paste_ends_with_the_login(self):
        self.broker.answers["GET " + self.path] = self.ends(
            "cancelled", error="cancelled", error_description="the login was cancelled")
        code, screen = self.on_terminal("login", "zenegy/acme", "--paste", until="(not shown): ",
                                        typed=["half an addr"])
        self.assertEqual(code, 1, screen)
        self.assertIn("the login was cancelled", screen)
        self.assertNotIn("half", screen)

    def test_paste_from_a_pipe(self):
        self.broker.answers["POST " + self.path] = self.ends("done")
        done = self.run_command("login", "zenegy/acme", "--paste", text_in="http://x/?code=s3cret\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("s3cret", done.stderr + done.stdout)
        self.assertEqual(json.loads(self.broker.seen[-1][2]), {"redirect": "http://x/?code=s3cret"})

    def test_device(self):
        self.broker.answers["POST /v1/login/zenegy/acme"] = {
            "login_id": LOGIN_ID, "account": "zenegy/acme", "user_code": "A\x1b[2JB", "interval": 5,
            "verification_uri": "https://h/device", "expires_in": 600}
        self.slow(self.ends("pending"), self.ends("done"))
        done = self.run_command("login", "zenegy/acme", "--device", "--scope", "a")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(self.broker.seen[0][2]), {"mode": "device", "scope": "a"})
        self.assertIn("    https://h/device\n", done.stderr)
        self.assertIn("    A?[2JB\n", done.stderr)
        self.assertNotIn("\x1b", done.stderr)

    def test_wrong_paste_from_a_pipe(self):
        self.broker.answers["POST " + self.path] = (400, {"error": "bad_request",
                                                          "error_description": "another state"})
        done = self.run_command("login", "zenegy/acme", "--paste", text_in="http://wrong/\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("another state", done.stderr)
        self.assertEqual(self.broker.seen[-1][:2], ("DELETE", self.path))


if __name__ == "__main__":
    unittest.main()
