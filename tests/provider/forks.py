"""python3 -m provider.forks: starts emulated providers by forking, which is faster than Python.

Reads one line for each, a JSON list of the arguments of `python3 -m provider`; the new process says
its address and its pid in one line on standard output. All end with standard input.
"""

import json
import os
import signal
import sys

from .__main__ import make_server, parse_arguments


def _child(arguments):
    server = make_server(parse_arguments(arguments))
    line = json.dumps({"url": server.issuer, "pid": os.getpid()}) + "\n"
    os.write(1, line.encode())
    os.close(0)
    server.serve_forever()


def main():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    children = []
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _child(json.loads(line))
            os._exit(0)
        children.append(pid)
    for pid in children:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # its test has ended it


if __name__ == "__main__":
    main()
