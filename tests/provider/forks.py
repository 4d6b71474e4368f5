"""python3 -m provider.forks: starts emulated providers by forking, which is faster than Python.

Reads one line for each, a JSON list of the arguments of `python3 -m provider`; the new process says
its address and its pid in one line on standard output. All end when this process ends: each watches
a pipe that only this one holds open, so that nobody is ever ended by a number that has a new owner.
"""

import json
import os
import signal
import sys
import threading

from .__main__ import make_server, parse_arguments


def _end_with(pipe):
    os.read(pipe, 1)
    os._exit(0)


def _child(arguments, pipe):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # it waits for its own children
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    server = make_server(parse_arguments(arguments))
    line = json.dumps({"url": server.issuer, "pid": os.getpid()}) + "\n"
    os.write(1, line.encode())
    server.serve_forever()


def main():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    pipe, held_open = os.pipe()
    for line in sys.stdin:
        if os.fork() == 0:
            os.close(held_open)
            _child(json.loads(line), pipe)
            os._exit(0)


if __name__ == "__main__":
    main()
