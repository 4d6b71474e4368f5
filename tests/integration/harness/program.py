"""A real server, as a program beside the test."""

import json
import subprocess


class Program:
    """Runs until stop(), or until this process ends where it watches its standard input. Its first
    line of output is {"url": …}; `given` is what it reads first."""

    def __init__(self, command, folder, log_path, given=None):
        self._log = open(log_path, "wb")
        self._process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=self._log, text=True)
        if given is not None:
            self._process.stdin.write(json.dumps(given) + "\n")
            self._process.stdin.flush()
        said = self._process.stdout.readline()
        assert said, log_path.read_text()
        self.url = json.loads(said)["url"]

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        self._log.close()
