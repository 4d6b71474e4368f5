"""Wall-clock steps, suspends and reboots while accounts rotate, in and between lives of the broker."""

import ssl
import subprocess
import time
from collections import Counter
from dataclasses import dataclass

from harness.ports import free_port
from provider.ledger import fingerprint

from .judge import Judge
from .place import Lost, Place, user_of
from .world import DAY, HOUR, SURE_S, World

LIFETIME_S = 600
MAY_S = LIFETIME_S / 2  # no token is refreshed earlier by itself
MUST_S = LIFETIME_S * 8 // 10 + SURE_S  # and each is by then
IDLE_S = 14 * DAY
KEPT_S = IDLE_S // 2 + SURE_S
ALWAYS, SELDOM = 6, 3  # accounts that are kept fresh; that only their idle limit keeps alive
WRONGS = (0, HOUR, -HOUR, 30 * DAY, -30 * DAY)
NAPS = (1, LIFETIME_S // 3, LIFETIME_S * 6 // 10, LIFETIME_S * 6 // 10, LIFETIME_S, HOUR, DAY, 6 * DAY)
OFF, OFF_UNNOTICED = (20, 300, DAY, 6 * DAY), (20, 300)  # what broker time cannot know is short
SOON_S = 20  # what is due is done by then
SLACK_S = 2.0  # what is shown are whole seconds, and a start takes a moment
ASKED = 4
NOT_REJECTED = 3  # tokens, until one is rejected again
CERTIFICATE_CHECK_S = HOUR


@dataclass
class Login:
    login_id: str
    life: str
    ends: float


@dataclass
class Issued:
    """The newest access token of an account, by the ledger."""

    at: float = 0.0
    broker_at: float = 0.0  # broker time then
    boot: int = 0
    number: int = 0


class Book:
    """What the provider issued: by whom it is known when a token really ends."""

    def __init__(self, place, world):
        self._ledger, self._world = place.provider.ledger, world
        self._read = 0
        self._ends, self._boots = {}, {}
        self.newest = {user_of(account): Issued() for account in place.accounts}
        self.new = Counter()  # refreshes of each user since clear()

    def read(self):
        """Before anything happens to the clocks again."""
        lines = self._ledger.refreshes()
        for line in lines[self._read:]:
            user, boot = line["user"], self._world.boots
            self._ends[line["access"]] = line["at"] + LIFETIME_S
            self._boots[line["access"]] = boot
            self.newest[user] = Issued(line["at"], line["at"] + self._world.ahead, boot,
                                       self.newest[user].number + 1)
            self.new[user] += 1
        self._read = len(lines)

    def end_of(self, mark):
        """(when the token really ends, in which boot it was issued)"""
        self.read()
        return self._ends[mark], self._boots[mark]

    def age(self, user):
        """Of the newest token, as far as the broker can know."""
        return self._world.broker() - self.newest[user].broker_at


class Trial:
    """A place, its clocks, and what is known of both."""

    def __init__(self, place, chance):
        self.place, self.chance = place, chance
        self.world = World(place)
        self.book = Book(place, self.world)
        self.judge = Judge(place.provider.ledger.path)
        self._rejected, self._logins = set(), []
        self._allowed, self._rejectable, self._root = Counter(), Counter(), None
        self.outage = self._killed = False
        self.facts = Counter()

    # What happens

    def begin(self):
        self.place.start()
        self.place.grant_all()
        self.place.assert_whole()
        self._root = self.place.api.authority().ok()["fingerprint"]
        self.book.read()
        self.book.new.clear()

    def step(self):
        self.world.step(self.chance.choice([w for w in WRONGS if w != self.world.wrong]))

    def suspend(self):
        self.world.suspend(self.chance.choice(NAPS))

    def restart(self):
        """In the same boot, perhaps after a while, perhaps with another wall clock."""
        self._end()
        if self.chance.random() < 0.5:
            self.step()
        if self.chance.random() < 0.5:
            self.suspend()
        self.place.start()

    def reboot(self):
        self._end()
        self.book.read()
        wrong, off = self.chance.choice([
            (wrong, off) for wrong in WRONGS
            for off in (OFF if wrong >= self.world.ahead else OFF_UNNOTICED)
            if self.world.is_plain(off, wrong)])
        self.world.boot(off, wrong)
        self.facts["with a clock behind"] += self.world.doubted == self.world.boots
        self.place.start()

    def _end(self):
        self._killed = self.chance.random() < 0.5
        if self._killed:
            self.place.daemon.kill()
        else:
            self.place.daemon.stop()

    # What has to hold

    def round(self, event):
        self._settle()
        self._killed = False
        self.outage = self.chance.random() < 0.2
        if self.outage:
            self.place.provider.fault("http500")
        event(self)
        self._allow()
        for account in self.chance.sample(self._always(), ASKED):
            self._ask(account)
        if self.outage:
            self._recover()
        self._await_due()
        self._check_logins()
        self._check_certificate()

    def _always(self):
        return [account for account in self.place.accounts if account.startswith("plain/")]

    def _settle(self):
        """No more was refreshed than the last event gave reason to; what was not may come yet."""
        self.book.read()
        for user, count in self.book.new.items():
            if count > self._allowed[user]:
                raise Lost(f"{user} was refreshed {count} times, not {self._allowed[user]}: {self.world}")
            self._allowed[user] -= count
        self.book.new.clear()
        self.judge.read()
        if self.judge.losses:
            raise Lost(f"{self.place.folder}: {self.judge.losses[0]}")

    def _allow(self):
        """One refresh for each account that is due, or whose token may have ended unseen."""
        for user, issued in self.book.newest.items():
            due = self.book.age(user) >= MAY_S
            unseen = issued.boot < self.world.doubted
            left_over = self._allowed[user] > 0  # in the air, and sent again after a kill
            self._allowed[user] = ((due or unseen) + left_over * (1 + self._killed) + self.outage)

    def _ask(self, account):
        min_ttl = self.chance.choice((None, 1, LIFETIME_S // 2))
        asked_at, age = self.world.now(), self.book.age(user_of(account))
        reply = self.place.api.token(account, wait=0 if self.outage else 10, min_ttl=min_ttl)
        self._allowed[user_of(account)] += min_ttl is not None and age < MAY_S <= age + 10
        if reply.status == 200:
            self._check_token(account, reply.json, asked_at, min_ttl or 0)
        elif not self.outage:
            raise Lost(f"{account}: {reply.text}")

    def _check_token(self, account, token, asked_at, min_ttl):
        if token["access_token"] in self._rejected:
            raise Lost(f"{account}: a rejected token was handed out again")
        ends, boot = self.book.end_of(fingerprint(token["access_token"]))
        if ends - asked_at < min_ttl - 0.1:
            left = f"{ends - asked_at:.1f} s were left of {min_ttl} s"
            raise Lost(f"{account}: {left} (token of boot {boot}): {self.world}")
        if self.place.provider.call(token)[0] != 200:
            raise Lost(f"{account}: the API refuses it: {self.world}")
        shown = token["expires_at"] - self.world.wrong - ends
        # A lifetime counts from when its refresh was sent: it may have been in the air in a suspend.
        if boot == self.world.boots and not -self.world.slept - SLACK_S <= shown <= SLACK_S:
            raise Lost(f"{account}: expires_at is wrong by {shown:.1f} s: {self.world}")
        if self.chance.random() < 0.3:
            self._reject(account, token["access_token"])

    def _reject(self, account, token):
        """Not the next one too: that would be another matter."""
        number = self.book.newest[user_of(account)].number
        if number < self._rejectable[user_of(account)]:
            return
        self._rejectable[user_of(account)] = number + NOT_REJECTED
        self._rejected.add(token)
        self._allowed[user_of(account)] += 1
        self.place.api.reject(account, access_token=token).ok()
        self.facts["rejected"] += 1
        if self.outage and self.place.api.token(account, wait=0).status == 200:
            raise Lost(f"{account}: a rejected token was handed out again: {self.world}")

    def _recover(self):
        self.place.provider.clear_faults()
        self.place.api.retry()
        self.outage = False
        self.place.assert_whole()

    def _await_due(self):
        """What is due is refreshed, unasked."""
        deadline = time.monotonic() + SOON_S
        while late := [user for user in self.book.newest if self._is_due(user)]:
            if time.monotonic() > deadline:
                account = next(a for a in self.place.accounts if user_of(a) == late[0])
                raise Lost(f"{late} not refreshed: {self.world}: "
                           f"{self.place.api.account(account).text}")
            time.sleep(0.02)
            self.book.read()

    def _is_due(self, user):
        return self.book.age(user) >= (KEPT_S if user.startswith("s") else MUST_S)

    def _check_logins(self):
        """A login lives for as long as was said, whatever the wall clock does, and no longer."""
        for login in self._logins:
            left = login.ends - self.world.now()
            found = self.place.api.follow(login.login_id)
            status = found.json.get("status")
            if login.life != self.place.life:
                fits = found.status == 404
            else:
                fits = abs(left) < 1 or (status == "pending") == (left > 0)
            if not fits:
                raise Lost(f"a login with {left:.0f} s left: {found.text}")
        self._logins = [login for login in self._logins if login.life == self.place.life
                        and login.ends > self.world.now()]
        if len(self._logins) < 2:
            begun = self.place.api.login("plain/new").ok()
            self._logins.append(Login(begun["login_id"], self.place.life,
                                      self.world.now() + begun["expires_in"]))

    def _check_certificate(self):
        """Valid by the wall clock soon after it was set, and of the same authority for ever."""
        if self.place.api.authority().ok()["fingerprint"] != self._root:
            raise Lost(f"another authority: {self.world}")
        if self.world.now() - self.world.stepped_at < CERTIFICATE_CHECK_S:
            return
        deadline = time.monotonic() + SOON_S
        while not self._certificate_is_valid():
            if time.monotonic() > deadline:
                raise Lost(f"the certificate is not valid: {self.world}")
            time.sleep(0.1)

    def _certificate_is_valid(self):
        pem = ssl.get_server_certificate(("127.0.0.1", self.place.https_port))
        said = subprocess.run(["openssl", "x509", "-noout", "-dates"], input=pem, text=True,
                              capture_output=True, check=True).stdout
        begins, ends = (ssl.cert_time_to_seconds(line.partition("=")[2])
                        for line in said.splitlines())
        return begins <= self.world.clocks.wall() < ends

    def end(self):
        self._settle()
        rows = self.place.api.audit().ok()["audit"]
        if odd := [row for row in rows if row["first_at"] > row["last_at"]]:
            raise Lost(f"the audit goes backwards: {odd[0]}")
        self.place.assert_whole()
        self.place.daemon.stop()
        self.place.assert_sound()
        return dict(self.facts) | {"rotations": self.judge.rotations}


# What happens, and how often among ten.
EVENTS = {"steps": (Trial.step, 3), "suspends": (Trial.suspend, 3), "restarts": (Trial.restart, 2),
          "reboots": (Trial.reboot, 2)}


def run(count, chance, progress):
    """`count` of these; after each, every promise is looked at."""
    with Place(ALWAYS, lifetime=LIFETIME_S, rotation="revoke-on-first-use",
               refresh_idle=IDLE_S) as place:
        place.daemon.with_provider("seldom", place.provider, keep="asked",
                                   refresh_token_idle_lifetime="14d")
        place.accounts += [f"seldom/s{number}" for number in range(SELDOM)]
        place.https_port = free_port()
        place.daemon.config.callback["listen"].append(f"https://127.0.0.1:{place.https_port}")
        trial = Trial(place, chance)
        trial.begin()
        for _ in range(count):
            [name] = chance.choices(list(EVENTS), [often for _, often in EVENTS.values()])
            trial.round(EVENTS[name][0])
            trial.facts[name] += 1
            progress(1)
        return trial.end()
