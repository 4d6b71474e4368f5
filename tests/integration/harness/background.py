"""Calls that take their time, while the test goes on."""

import threading


def later(call):
    """Calls in a thread; the result comes with join()."""
    class Later(threading.Thread):
        def run(self):
            self.result = call()

        def join(self, timeout=60):
            super().join(timeout)
            return self.result
    thread = Later()
    thread.start()
    return thread
