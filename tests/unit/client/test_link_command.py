"""tokenbroker link against a fake broker: what a file may hold, and what is sent for it."""

import json
import unittest

from fake_broker import FakeBroker

URL = "https://hr.example.com/oauth/link/"
LINE_MAX = 128 * 1024


def link(label, **members):
    return {"account": f"plain/{label}", "url": URL + label, "state": "open", "created_at": 1,
            "expires_at": 2000000000, "attempts": 0, **members}


class Case(unittest.TestCase):
    def setUp(self):
        self.broker = FakeBroker()
        self.addCleanup(self.broker.close)
        for label in "abc":
            self.broker.answers[f"POST /v1/links/plain/{label}"] = link(label)

    def from_file(self, text, *arguments):
        return self.broker.run("link", "--csv", "-", *arguments, text_in=text)

    def bodies(self):
        return [json.loads(body) for _, _, body in self.broker.seen]


class Csv(Case):
    def test_what_a_line_may_be(self):
        for line, body in [
                ("plain/a", {}),
                ("plain/a,,", {}),
                ("plain/a,7d", {"expires_in": 7 * 86400}),
                ("plain/a,,id=4711", {"expect": {"id": "4711"}}),
                ('"plain/a","2h","name=Acme, ""the"" A/S"',
                 {"expires_in": 7200, "expect": {"name": 'Acme, "the" A/S'}}),
                ('plain/a,1min,k=a=b\r', {"expires_in": 60, "expect": {"k": "a=b"}}),
                ('plain/a,,k=', {"expect": {"k": ""}}),
                ('plain/a,"",""', {}),
                ('plain/a,,"k=\u00e5\u00f8"', {"expect": {"k": "\u00e5\u00f8"}})]:
            with self.subTest(line):
                self.broker.seen.clear()
                done = self.from_file(line + "\n")
                self.assertEqual((done.returncode, done.stdout, done.stderr),
                                 (0, f"account,url\nplain/a,{URL}a\n", ""))
                self.assertEqual(self.bodies(), [body])

    def test_what_a_line_may_not_be(self):
        for line, why in [
                ("plain//a", "first field is no account"),
                (",7d", "first field is no account"),
                ("plain/a,soon", "second field is no duration"),
                ("plain/a,-1d", "second field is no duration"),
                ("plain/a,,4711", "third field is no NAME=VALUE"),
                ("plain/a,,=4711", "third field is no NAME=VALUE"),
                ("plain/a,,k=" + "v" * 512, "third field is no NAME=VALUE"),
                ("plain/a,,k=v,more", "more than three fields"),
                ("plain/a,,k=v,", "more than three fields"),
                ('"plain/a', "quotes do not fit"),
                ('"plain/a"x,7d', "quotes do not fit"),
                ('plain/a,"7d""', "quotes do not fit"),
                ("plain/a," + "x" * LINE_MAX, " is too long")]:
            with self.subTest(line[:40]):
                done = self.from_file(f"plain/b\n{line}\nplain/c\n")
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertRegex(done.stderr, f"line 2: it.*{why}")
                self.assertIn("1 line cannot be used: no link was made", done.stderr)
                self.assertEqual(self.broker.seen, [])

    def test_an_account_in_two_lines(self):
        """The link that was made first would be dead when it is sent."""
        done = self.from_file("plain/a\n\nplain/b\nplain/a,7d\n")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        for number in (1, 4):
            self.assertIn(f"line {number}: its account is that of another line", done.stderr)
        self.assertIn("2 lines cannot be used: no link was made", done.stderr)
        self.assertEqual(self.broker.seen, [])

    def test_headings_and_empty_lines(self):
        for heading in ("account,url", "account", "account,expires,expect\r"):
            done = self.from_file(f"{heading}\n\n \t\nplain/a\n\nplain/b")
            self.assertEqual(done.stdout.splitlines()[1:],
                             [f"plain/a,{URL}a", f"plain/b,{URL}b"], done.stderr)
        done = self.from_file("plain/a\naccount,expires\n")
        self.assertEqual(done.returncode, 2)
        self.assertIn("line 2:", done.stderr)
        self.assertEqual(self.from_file("").stdout, "account,url\n")

    def test_the_command_s_own_options_hold_for_each_line(self):
        done = self.from_file("plain/a\nplain/b,2d\n", "--expires", "1d", "--scope", "read",
                              "--param", "hint=x")
        self.assertEqual(done.returncode, 0, done.stderr)
        both = {"scope": "read", "params": {"hint": "x"}}
        self.assertEqual(self.bodies(), [{"expires_in": 86400, **both},
                                         {"expires_in": 2 * 86400, **both}])

    def test_many_flaws_are_counted(self):
        done = self.from_file("plain//a\n" * 30)
        self.assertEqual(done.stderr.count("first field"), 20)
        self.assertIn("30 lines cannot be used", done.stderr)

    def test_the_broker_refuses_one(self):
        self.broker.answers["POST /v1/links/plain/b"] = (
            403, {"error": "forbidden", "error_description": "may not link"})
        done = self.from_file("plain/a\nplain/b\nplain/c\n")
        self.assertEqual((done.returncode, done.stdout), (4, f"account,url\nplain/a,{URL}a\n"))
        self.assertIn("1 of 3 links were made; those that are printed work", done.stderr)
        self.assertIn("go on from line 2", done.stderr)
        self.assertEqual(len(self.broker.seen), 2)

    def test_a_busy_broker_is_waited_for(self):
        """A second run would end the links that were handed out."""
        answers = [link("b"), (503, {"error": "busy", "error_description": "wait",
                                     "retry_after": 1})]
        self.broker.answers["POST /v1/links/plain/b"] = answers.pop
        done = self.from_file("plain/a\nplain/b\nplain/c\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(len(done.stdout.splitlines()), 4)
        self.assertEqual(len(self.broker.seen), 4)

    def test_no_file(self):
        done = self.broker.run("link", "--csv", self.broker.folder + "/none")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot be read: No such file", done.stderr)
        done = self.broker.run("link", "--csv", self.broker.folder)
        self.assertEqual(done.returncode, 2)
        self.assertIn("Is a directory", done.stderr)

    def test_addresses_do_not_steer_a_terminal(self):
        self.broker.answers["POST /v1/links/plain/a"] = link("a", url="https://x/\x1b[2J")
        self.assertNotIn("\x1b", self.from_file("plain/a\n").stdout)


class One(Case):
    def test_made(self):
        self.broker.answers["POST /v1/links/plain/a"] = link("a", expected_identity="4711")
        done = self.broker.run("link", "plain/a", "--expires", "7d", "--expect", "id=4711")
        self.assertEqual((done.returncode, done.stdout), (0, URL + "a\n"))
        self.assertIn("for 4711", done.stderr)
        self.assertEqual(self.bodies(), [{"expires_in": 604800, "expect": {"id": "4711"}}])
        done = self.broker.run("link", "plain/b")
        self.assertEqual(done.stdout, URL + "b\n")
        self.assertIn("held until you accept it", done.stderr)
        done = self.broker.run("link", "plain/b", "--json")
        self.assertEqual(json.loads(done.stdout)["url"], URL + "b")

    def test_usage(self):
        for arguments in ([], ["plain/a", "--list"], ["--list", "--csv", "-"],
                          ["--csv", "-", "--expect", "a=b"], ["--list", "--revoke"],
                          ["plain/a", "--expect", "4711"], ["plain/a", "--expect", "=4711"],
                          ["plain//a"], ["--revoke"]):
            with self.subTest(arguments):
                done = self.broker.run("link", *arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(self.broker.seen, [])

    def test_revoked(self):
        self.broker.answers["DELETE /v1/links/plain/a"] = {"account": "plain/a", "revoked": True}
        done = self.broker.run("link", "--revoke", "plain/a")
        self.assertEqual(done.returncode, 0)
        self.assertIn("does nothing any more", done.stderr)

    def test_listed(self):
        """An address is never cut, however narrow the terminal."""
        self.broker.answers["GET /v1/links"] = {"links": [
            link("a", expected_identity="4711"), link("b", url=URL + "b" * 200)]}
        done = self.broker.run("link", "--list", COLUMNS="40")
        self.assertIn("b" * 200, done.stdout)
        self.assertIn("4711", done.stdout)
        done = self.broker.run("link", "--list", "--json")
        self.assertEqual([one["account"] for one in json.loads(done.stdout)["links"]],
                         ["plain/a", "plain/b"])


class Accept(Case):
    def test_says_whose(self):
        account = {"account": "plain/a", "provider": "plain", "state": "active"}
        self.broker.answers["POST /v1/held/plain/a"] = account
        self.assertIn("plain/a: the held consent is its grant now",
                      self.broker.run("accept", "plain/a", "--id", "7").stderr)
        self.assertEqual(self.bodies(), [{"decision": "accept", "id": 7}])
        account["identity"] = "47\x1b11"
        said = self.broker.run("accept", "plain/a", "--id", "7").stderr
        self.assertRegex(said, "plain/a: the consent of 47.*11 is its grant now")
        self.assertNotIn("\x1b", said)
        self.assertIn("forgotten", self.broker.run("discard", "plain/a", "--id", "8").stderr)
        self.assertEqual(self.bodies()[-1], {"decision": "discard", "id": 8})

    def test_nothing_is_guessed(self):
        for command in ("accept", "discard"):
            done = self.broker.run(command, "plain/a")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("--id", done.stderr)
        self.assertEqual(self.broker.seen, [])


if __name__ == "__main__":
    unittest.main()
