"""The example program of the library, as a program of somebody's would run."""

import os
import unittest

from fake_broker import FakeBroker, free_socket, token

EXAMPLE = os.environ["TOKENBROKER_EXAMPLE"]


class Example(unittest.TestCase):
    def setUp(self):
        self.broker = FakeBroker()
        self.addCleanup(self.broker.close)

    def test_header(self):
        self.broker.answers["GET /v1/token/zenegy/acme"] = token()
        done = self.broker.run("zenegy/acme", program=EXAMPLE)
        self.assertEqual((done.returncode, done.stdout), (0, "Authorization: Bearer t0k\n"))
        self.assertEqual(self.broker.seen[0][1], "/v1/token/zenegy/acme?min_ttl=60")

    def test_failures(self):
        self.broker.answers["GET /v1/token/zenegy/acme"] = (
            409, {"error": "consent_required", "error_description": "gone", "start_url": "http://s"})
        done = self.broker.run("zenegy/acme", program=EXAMPLE)
        self.assertEqual(done.returncode, 3)
        self.assertIn("a person has to log in: gone\nconsent here: http://s\n", done.stderr)
        done = self.broker.run("zenegy/acme", program=EXAMPLE, TOKENBROKER_SOCKET=free_socket())
        self.assertIn(done.returncode, (7, 5, 4))
        self.assertEqual(self.broker.run(program=EXAMPLE).returncode, 2)


if __name__ == "__main__":
    unittest.main()
