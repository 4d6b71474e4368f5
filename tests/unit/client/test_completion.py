"""The completion for bash offers what the command itself says it takes."""

import os
import re
import unittest

from fake_broker import COMMAND, FakeBroker, account

SCRIPT = os.path.join(os.environ["TOKENBROKER_SOURCE"],
                      "client/cli/completion/tokenbroker.bash")


class Completion(unittest.TestCase):
    def setUp(self):
        self.broker = FakeBroker()
        self.addCleanup(self.broker.close)

    def complete(self, *words):
        line = " ".join(f"'{word}'" for word in ("tokenbroker", *words))
        done = self.broker.run(
            "-c", f'. "{SCRIPT}"; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _tokenbroker; '
            'printf "%s\\n" "${COMPREPLY[@]}"', program="/bin/bash",
            PATH=os.path.dirname(COMMAND) + ":/usr/bin:/bin")
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split())

    def help(self, *arguments):
        return self.broker.run(*arguments, "--help").stdout

    def test_commands(self):
        commands = set(re.findall(r"^  ([a-z]+) ", self.help(), re.M))
        self.assertEqual(self.complete(""), commands | {"help", "version"})

    def test_options(self):
        for command in re.findall(r"^  ([a-z]+) ", self.help(), re.M):
            options = set(re.findall(r"^  (--[a-z-]+)", self.help(command), re.M))
            self.assertEqual(self.complete(command, "-"), options, command)

    def test_accounts(self):
        self.broker.answers["GET /v1/accounts"] = {"accounts": [account("a/b"), account("c/d")]}
        self.assertEqual(self.complete("token", ""), {"a/b", "c/d"})
        self.assertEqual(self.complete("--socket", self.broker.socket, "status", "c"), {"c/d"})
        self.assertEqual(self.complete("token", "--format", "h"), {"header"})
        self.broker.answers.clear()
        self.assertEqual(self.complete("token", ""), set())

    def test_a_name_is_no_command(self):
        made = os.path.join(self.broker.folder, "made")
        self.broker.answers["GET /v1/accounts"] = {"accounts": [
            account(f"a/$(>{made})"), account(f"a/`>{made}`"), account("a/b@c.d+e_f-G")]}
        self.assertEqual(self.complete("token", ""), {"a/b@c.d+e_f-G"})
        self.assertFalse(os.path.exists(made))


if __name__ == "__main__":
    unittest.main()
