"""The stream of events, as a client follows it."""

import json
import queue
import threading
from dataclasses import dataclass
from urllib.parse import urlencode

from .client import UnixConnection


@dataclass
class Event:
    name: str
    id: str
    data: dict


class Stream:
    """Follows from the moment it is made; a thread reads. `with` ends it."""

    def __init__(self, api, schema, last_id=None, **query):
        self._connection = UnixConnection(api.socket_path)
        target = "/v1/events" + ("?" + urlencode(query) if query else "")
        self._connection.request("GET", target,
                                 headers={"Last-Event-ID": last_id} if last_id else {})
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        if schema:
            schema.check("GET", target, 200, self._answer.headers, b"")
        self.last_id, self.comments = None, queue.Queue()
        self._events, self._greeted = queue.Queue(), threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        assert self._greeted.wait(10)

    def _read(self):
        fields = {}
        try:
            while line := self._answer.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name.startswith(":"):
                    self.comments.put(name)
                elif name:
                    fields[name] = value
                elif fields:
                    self._take(fields)
                    fields = {}
            self._events.put(None)
        except OSError as error:
            self._events.put(error)

    def _take(self, fields):
        self.last_id = fields.get("id", self.last_id)
        if "data" in fields:
            self._events.put(Event(fields["event"], fields["id"], json.loads(fields["data"])))
        if "retry" in fields:
            self._greeted.set()

    def next(self, timeout=15):
        """The next event; None: the broker ended the stream cleanly."""
        event = self._events.get(timeout=timeout)
        assert not isinstance(event, Exception), event
        return event

    def wait_for(self, name, timeout=15):
        """The next event of that name; what comes before it is passed over."""
        while (event := self.next(timeout)) is not None and event.name != name:
            pass
        assert event is not None, f"the stream ended without {name}"
        return event

    def quiet(self):
        return self._events.empty()

    def close(self):
        if self._connection.sock:
            self._connection.sock.shutdown(2)
        self._thread.join(10)
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
