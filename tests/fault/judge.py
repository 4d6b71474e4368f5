"""Judges by the provider's ledger what became of every refresh token."""

import json


class Judge:
    """Reads what the ledger has grown by; no line is read twice.

    A refusal is a loss: the broker showed a refresh token that was dead. It is residue instead where
    the provider takes each token strictly once, and had spent it for an earlier life of the broker
    that was killed before anybody saw what came of it: its reply was not yet committed. The token
    before that one may be shown then, once, as the last attempt: that is no loss by itself.

    A refusal to a life that was killed, of what a later life could spend, is none either: the server
    was late with the request of a broker that is no more, and nobody read its answer."""

    def __init__(self, path, strict=False):
        self._path, self._strict = path, strict
        self._offset = 0
        self._spent = {}  # by the refresh token shown: the last line that accepted it
        self._shown = set()  # refresh tokens that the broker evidently had
        self.rotations, self.again, self.losses, self.residue = 0, 0, [], []

    def read(self, seen=frozenset(), killed_at=None):
        """seen: fingerprints of the access tokens that left the broker; killed_at: the wall
        time at which each life ended. Returns the users whose grants the provider has refused since the last call."""
        refused, killed_at = set(), killed_at or {}
        for line in self._new_lines():
            if line["event"] != "refresh":
                continue
            self._shown.add(line["presented"])
            if line["outcome"] == "accepted":
                self._accepted(line)
            elif not self._to_nobody(line, killed_at):
                self._refused(line, seen, killed_at)
                refused.add(line.get("user"))
        return refused

    def _new_lines(self):
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[:text.rfind(b"\n") + 1]
        self._offset += len(whole)
        return map(json.loads, whole.splitlines())

    def _accepted(self, line):
        self.rotations += 1
        self.again += line["presented"] in self._spent
        self._spent[line["presented"]] = line

    def _to_nobody(self, line, killed_at):
        spent = self._spent.get(line["presented"])
        return bool(spent) and line["life"] in killed_at and int(line["life"]) < int(spent["life"])

    def _refused(self, line, seen, killed_at):
        spent = self._spent.get(line["presented"])
        if self._strict and spent and spent["refresh"] in self._shown:
            return
        why = self._excuse(line, spent, seen, killed_at)
        if isinstance(why, str):
            self.losses.append({"why": why, "line": line, "spent": spent})
        elif spent["n"] not in (one["n"] for one in self.residue):
            self.residue.append({"n": spent["n"], "user": line.get("user"), "exposed_s": why})

    def _excuse(self, line, spent, seen, killed_at):
        """How long the reply had been on its way when it was lost; or what makes it a loss."""
        if not self._strict:
            return "the provider refused a refresh token: " + line["why"]
        if spent is None:
            return "refused, and never spent before"
        if spent["access"] in seen:
            return "a client had the access token, the broker has lost its refresh token"
        if spent["life"] == line["life"]:
            return "no kill came between"
        return max(killed_at[spent["life"]] - spent["at"], 0.0)  # below: the server was late
