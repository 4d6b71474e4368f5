"""Calls that take their time, while the test goes on."""

import threading


def in_background(call):
    """Calls in a thread; the result comes with join()."""
    class Call(threading.Thread):
        def run(self):
            self.result = call()

        def join(self, timeout=60):
            super().join(timeout)
            return self.result
    thread = Call()
    thread.start()
    return thread
