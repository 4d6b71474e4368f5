"""The command where things are not as they should be: streams that are closed, a broker that hangs,
text that is no text, terminals that are narrow."""

import base64
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from fake_broker import COMMAND, TIMEOUT, FakeBroker, account, token

A = "zenegy/acme"
STORE = b"sealed store"
BACKUP = {"backup_id": "b", "whole": True, "bytes": len(STORE), "key": "k"}


class Case(unittest.TestCase):
    def setUp(self):
        self.broker = FakeBroker()
        self.addCleanup(self.broker.close)
        self.broker.answers[f"GET /v1/token/{A}"] = token()

    def shell(self, line):
        """A line of shell in which $T is the command; bytes out."""
        return subprocess.run(["/bin/sh", "-c", line], cwd=self.broker.folder, check=False,
                              env=self.broker.environment(T=COMMAND), capture_output=True,
                              timeout=TIMEOUT)


class ClosedStreams(Case):
    """Their numbers are taken by what is opened next: a backup, or the socket."""

    def test_a_token_that_nobody_can_get(self):
        for form in ("plain", "json", "env"):
            done = self.shell(f"$T token {A} --format {form} >&-")
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(b"cannot write the output: Bad file descriptor", done.stderr)
        self.assertEqual(self.shell(f"$T token {A} <&- >&- 2>&-").returncode, 1)

    def test_a_backup_is_the_store_alone(self):
        self.broker.answers["POST /v1/backups"] = BACKUP
        self.broker.answers["GET /v1/backups/b"] = {
            **BACKUP, "data": base64.b64encode(STORE).decode()}
        self.broker.answers["DELETE /v1/backups/b"] = BACKUP
        for number, (line, code) in enumerate([("2>&-", 0), ("--json >&-", 1), ("<&- >&- 2>&-", 0),
                                               ("--json <&- >&- 2>&-", 1)]):
            self.assertEqual(self.shell(f"$T backup f{number} {line}").returncode, code)
            with open(os.path.join(self.broker.folder, f"f{number}"), "rb") as file:
                self.assertEqual(file.read(), STORE, line)

    def test_nothing_to_read_from(self):
        done = self.shell(f"$T import {A} <&-")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"nothing came on stdin", done.stderr)
        self.assertEqual(self.broker.seen, [])

    def test_a_command_finds_them_closed(self):
        done = self.shell(f"$T exec {A} -- /bin/sh -c 'exec 9<&0 || exit 4' <&-")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.shell(f"$T exec {A} -- nosuch-program 2>&-").returncode, 127)
        self.assertEqual(self.shell(f"$T exec {A} -- / 2>&-").returncode, 126)


class Text(Case):
    """Nothing of what is printed as JSON is anything else, nor steers a terminal."""

    def test_controls_of_a_terminal(self):
        said = "a\x7f\u009b2J\u0085é\U0001f600\u00a0"
        self.broker.answers[f"GET /v1/accounts/{A}"] = account(identity=said)
        self.broker.answers["GET /v1/accounts"] = {"accounts": [account(identity=said)]}
        self.broker.raw = True
        for line in (f"$T status {A} --json", "$T list --json"):
            done = self.shell(line)
            found = json.loads(done.stdout)
            self.assertEqual(found.get("accounts", [found])[0]["identity"], said)
            text = done.stdout.decode()
            self.assertFalse([c for c in text if c == "\x7f" or "\x80" <= c < "\xa0"], text)
            self.assertIn("é\U0001f600\u00a0", text)

    def test_a_file_name_that_is_no_text(self):
        self.broker.answers["POST /v1/backups"] = {**BACKUP, "bytes": 0}
        self.broker.answers["DELETE /v1/backups/b"] = BACKUP
        done = self.shell("$T backup --json \"$(printf 'b\\377\\303.x')\"")
        self.assertEqual(json.loads(done.stdout)["file"], "b\ufffd\ufffd.x")

    def test_lines_that_name_no_account(self):
        done = self.shell("""printf '%s\\n' '{"refresh_token":"r"}' '{"account":"A B"}' | """
                          "$T import --jsonl -")
        self.assertEqual((done.returncode, done.stdout), (
            1, b"line 1: refused: it names no account\n"
               b"line 2: refused: its account is not written PROVIDER/LABEL\n"))

    def test_variables_of_another_account_do_not_stay(self):
        self.broker.answers["GET /v1/token/b/x"] = token("b", account="b/x", expires_in=None,
                                                         expires_at=None)
        self.broker.answers[f"GET /v1/token/{A}"] = token("a", api_base="https://a")
        done = self.shell(f'eval "$($T token {A} --format env)"; eval "$($T token b/x --format env)"; '
                          'echo "$TOKENBROKER_ACCESS_TOKEN,$TOKENBROKER_API_BASE,'
                          '$TOKENBROKER_EXPIRES_AT,$TOKENBROKER_EXPIRES_IN"')
        self.assertEqual(done.stdout, b"b,,,\n")

        done = self.shell(f'eval "$($T token {A} --format env)"; export TOKENBROKER_EXPIRES_IN=7; '
                          "$T exec b/x -- env | grep ^TOKENBROKER_E")
        self.assertEqual(done.stdout, b"TOKENBROKER_EXPIRES_AT=\n")

    def test_a_token_with_a_nul(self):
        """UTF-16: what stands before the first NUL is no token."""
        for line in (f"$T import {A}", f"$T reject {A}"):
            done = self.shell(f"printf 'r\\0t\\0k\\0\\n\\0' | {line}")
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"no text", done.stderr)
        self.assertEqual(self.broker.seen, [])

    def test_a_login_without_end(self):
        for expires_in in (2**63 - 1, -2**63):
            self.broker.answers[f"POST /v1/login/{A}"] = {
                "login_id": "l", "account": A, "authorize_url": "u", "expires_in": expires_in}
            self.broker.answers["POST /v1/logins/l"] = {"status": "done", "account": A}
            done = self.shell(f"echo http://x | $T login {A} --paste")
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_an_id_of_a_busy_broker(self):
        self.broker.answers["GET /v1/audit"] = {"audit": [], "next": 3}
        self.assertEqual(self.shell("$T audit --before 123456789012345").returncode, 0)
        self.assertIn("before=123456789012345", self.broker.seen[0][1])
        self.assertEqual(self.shell("$T audit --before 99999999999999999999").returncode, 2)

    def test_a_mode_is_an_option(self):
        self.broker.answers[f"POST /v1/login/{A}"] = (400, {
            "error": "bad_request", "error_description": "no device: use mode \"browser\""})
        done = self.shell(f"$T login {A} --device")
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"other ways: tokenbroker login {A}, or with --paste"
                      .encode(), done.stderr)


class Many(Case):
    """A large broker on a bad day: every account needs a consent, every provider is paused."""

    def setUp(self):
        super().setUp()
        providers = [{"name": f"{'p' * 24}-{number}", "paused": True, "reason": "r" * 200}
                     for number in range(1000)]
        self.broker.answers["GET /v1/health"] = {
            "status": "degraded", "version": "1", "store": {"ok": True}, "providers": providers}
        names = [f"{'p' * 24}/{'l' * 50}{number:05d}" for number in range(6000)]
        pages = [names[at:at + 500] for at in range(0, len(names), 500)]

        def page():
            at = sum(path.startswith("/v1/accounts") for _, path, _ in self.broker.seen) - 1
            more = {"next": pages[at][-1]} if at + 1 < len(pages) else {}
            return {"accounts": [account(name, state="consent_required", scope="s" * 400)
                                 for name in pages[at]], **more}
        self.broker.answers["GET /v1/accounts"] = page

    def test_all_that_need_a_person_are_named(self):
        done = self.shell("$T status")
        self.assertEqual((done.returncode, done.stdout.count(b"tokenbroker login ")), (0, 6000),
                         done.stderr)

    def test_as_json(self):
        done = self.shell("$T status --json")
        self.assertEqual(len(json.loads(done.stdout)["consent_required"]), 6000)

    def test_doctor_names_all_providers(self):
        self.assertEqual(self.shell("$T doctor").stdout.count(b"is paused"), 1000)
        self.broker.seen.clear()
        found = json.loads(self.shell("$T doctor --json").stdout)["findings"]
        self.assertEqual(len([one for one in found if one["about"] == "provider"]), 1000)


class Hangs(Case):
    def test_an_interrupted_backup_of_a_broker_that_hangs(self):
        """It withdraws the copy at the broker, but not for long: no signal ends it meanwhile."""
        hangs, ends = threading.Event(), threading.Event()
        self.addCleanup(ends.set)
        self.broker.answers["POST /v1/backups"] = {**BACKUP, "whole": False}

        def hang():
            hangs.set()
            ends.wait(TIMEOUT)
            return BACKUP
        self.broker.answers["GET /v1/backups/b"] = self.broker.answers["DELETE /v1/backups/b"] = hang
        command = subprocess.Popen([COMMAND, "backup", os.path.join(self.broker.folder, "f")],
                                   env=self.broker.environment(), stderr=subprocess.DEVNULL)
        self.assertTrue(hangs.wait(TIMEOUT))
        command.send_signal(signal.SIGINT)
        began = time.monotonic()
        self.assertEqual(command.wait(TIMEOUT), -signal.SIGINT)
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual([name for name in os.listdir(self.broker.folder) if name[0] == "f"], [])

    def interrupted_move(self, reached, go_on):
        """What it says when it is interrupted at that request, and the broker then goes on."""
        command = subprocess.Popen([COMMAND, "move", os.path.join(self.broker.folder, "f")],
                                   env=self.broker.environment(), text=True, stderr=subprocess.PIPE)
        self.assertTrue(reached.wait(TIMEOUT))
        command.send_signal(signal.SIGINT)
        go_on.set()
        said = command.communicate(timeout=TIMEOUT)[1]
        self.assertEqual(command.returncode, -signal.SIGINT)
        return said

    def test_an_interrupted_move_asks_whether_there_is_a_fence(self):
        """One that comes while the copy is withdrawn too; and where nobody knows the copy's id."""
        fenced, unfenced, silent = [
            {"status": "degraded", "version": "0", "store": store}
            for store in ({"ok": True, "moved_at": 1}, {"ok": True},
                          {"ok": False, "problem": "the store has not answered for 2 s"})]
        gone = (404, {"error": "not_found", "error_description": "no such backup"})
        for hanging, deletes, health, words, no_words in [
                ("GET /v1/backups/b", 2, fenced, "the store is fenced", "not known"),
                ("GET /v1/backups/b", 1, unfenced, "interrupted", "fenced"),
                ("GET /v1/backups/b", 1, silent, "is not known", "run this again with"),
                ("POST /v1/backups", 0, fenced, "the store is fenced", "not known"),
                ("POST /v1/backups", 0, unfenced, "is not known", "run this again with"),
                ("POST /v1/backups", 0, gone, "is not known", "run this again with")]:
            with self.subTest(hanging=hanging, health=health):
                reached, go_on = threading.Event(), threading.Event()
                left = [BACKUP] * deletes

                def hang(reached=reached, go_on=go_on):
                    reached.set()
                    go_on.wait(TIMEOUT)
                    time.sleep(0.5)
                    return BACKUP
                self.broker.answers["POST /v1/backups"] = {**BACKUP, "whole": False}
                self.broker.answers["DELETE /v1/backups/b"] = (
                    lambda left=left: left.pop() if left else gone)
                self.broker.answers["GET /v1/health"] = (
                    lambda left=left, health=health: unfenced if left else health)
                self.broker.answers[hanging] = hang
                said = self.interrupted_move(reached, go_on)
                self.assertIn(words, said)
                self.assertNotIn(no_words, said)

    def test_a_stream_that_breaks_within_an_event(self):
        """The event did not come: what follows it is asked for from the one before."""
        path, asked = os.path.join(self.broker.folder, "e"), []

        def serve(listener):
            while len(asked) < 2:
                one, _ = listener.accept()
                request = one.recv(4096).decode()
                if request:
                    asked.append(request)
                    one.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                b"Connection: close\r\n\r\nid: a-1\ndata: {\"n\":1}\n\n"
                                b"id: a-2\ndata: {\"n\":2}\n")
                one.close()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            server = threading.Thread(target=serve, args=(listener,), daemon=True)
            server.start()
            command = subprocess.Popen([COMMAND, "--socket", path, "watch", "--json"],
                                       env=self.broker.environment(), text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            server.join(TIMEOUT)
            command.send_signal(signal.SIGINT)
            printed, said = command.communicate(timeout=TIMEOUT)
        self.assertNotIn("Last-Event-ID", asked[0])
        self.assertIn("\r\nLast-Event-ID: a-1\r\n", asked[1], said)
        self.assertNotIn('"n":2', printed)

    def test_an_interrupted_watch_of_a_broker_that_hangs(self):
        hangs, ends = threading.Event(), threading.Event()
        self.addCleanup(ends.set)
        self.broker.answers["GET /v1/events"] = lambda: (hangs.set(), ends.wait(TIMEOUT), {})[2]
        command = subprocess.Popen([COMMAND, "watch"], env=self.broker.environment(), text=True,
                                   stderr=subprocess.PIPE)
        self.assertTrue(hangs.wait(TIMEOUT))
        command.send_signal(signal.SIGINT)
        said = command.communicate(timeout=TIMEOUT)[1]
        self.assertEqual((command.returncode, said), (-signal.SIGINT, ""))

    def test_a_reader_that_is_slower(self):
        """Whoever shares a pipe may have made it non-blocking."""
        self.broker.answers["GET /v1/accounts"] = {
            "accounts": [account(f"a/{number}", scope="s" * 900) for number in range(400)]}
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        command = subprocess.Popen([COMMAND, "list", "--json"], stdout=writer,
                                   env=self.broker.environment())
        os.close(writer)
        time.sleep(0.5)
        with open(reader, encoding="ascii") as file:
            self.assertEqual(len(json.load(file)["accounts"]), 400)
        self.assertEqual(command.wait(TIMEOUT), 0)

    def test_an_answer_that_drips(self):
        """A byte now and then does not put off the end."""
        path = os.path.join(self.broker.folder, "drips")
        ends = threading.Event()
        self.addCleanup(ends.set)
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.listen()

        def drip():
            with listener.accept()[0] as client:
                for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400:
                    if ends.wait(0.1):
                        return
                    client.send(bytes([byte]), socket.MSG_NOSIGNAL)
        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        done = subprocess.run([COMMAND, "--socket", path, "token", A, "--wait", "0"], check=False,
                              env=self.broker.environment(), capture_output=True, timeout=TIMEOUT)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"did not answer in time", done.stderr)
        self.assertLess(time.monotonic() - began, 15)


if __name__ == "__main__":
    unittest.main()
