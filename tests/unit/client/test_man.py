"""The manual pages: no warnings, and every command, option and function is in them."""

import os
import re
import subprocess
import unittest
from pathlib import Path

from fake_broker import FakeBroker

ROOT = Path(os.environ["TOKENBROKER_SOURCE"])
PAGES = ["tokenbroker.1", "tokenbrokerd.8", "tokenbroker.conf.5", "libtokenbroker.3"]


def read(name):
    """The page's text, its escapes taken back."""
    text = (ROOT / "man" / name).read_text(encoding="utf-8")
    return text.replace("\\-", "-").replace("\\(aq", "'")


class Pages(unittest.TestCase):
    def test_no_warnings(self):
        for name in PAGES:
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", ROOT / "man" / name],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)

    def test_commands_and_options(self):
        broker, page = FakeBroker(), read("tokenbroker.1")
        self.addCleanup(broker.close)
        for command in re.findall(r"^  ([a-z]+) ", broker.run("--help").stdout, re.M):
            self.assertRegex(page, rf"(?m)^\.B[RI]? {command}\b", command)
            for option in re.findall(r"^  (--[a-z-]+)", broker.run(command, "--help").stdout, re.M):
                self.assertIn(option, page)

    def test_functions(self):
        header = (ROOT / "client/tokenbroker.h").read_text(encoding="utf-8")
        page = read("libtokenbroker.3")
        for name in set(re.findall(r"\b(tb_[a-z_]+)\(", re.sub(r"/\*.*?\*/", "", header,
                                                              flags=re.S))):
            self.assertIn(name, page)

    def test_configuration_keys(self):
        sample = (ROOT / "config/tokenbroker.conf").read_text(encoding="utf-8")
        page = read("tokenbroker.conf.5")
        for key in set(re.findall(r"(?m)^\s*#([a-z_]+) = ", sample)):
            self.assertRegex(page, rf"(?m)^\.BR? {key}\b", key)


if __name__ == "__main__":
    unittest.main()
