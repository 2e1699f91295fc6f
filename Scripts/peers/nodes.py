"""The two kinds of nodes of a lockspace, a Linux kernel and a dlm-peer, behind one face."""
import collections
import json
import pathlib
import socket
import struct
import subprocess
import threading
import time

MODES = ["NL", "CR", "CW", "PR", "PW", "EX"]
GRANTED, CANCELLED, UNLOCKED, WOULD_BLOCK, DEADLOCK = 0, -0x10001, -0x10002, -11, -35
FLAGS = {
    name: 1 << bit
    for bit, name in enumerate(
        "NOQUEUE CANCEL CONVERT VALBLK QUECVT IVVALBLK CONVDEADLK PERSISTENT NODLCKWT NODLCKBLK"
        " EXPEDITE NOQUEUEBAST HEADQUE NOORDER ORPHAN ALTPR ALTCW FORCEUNLOCK TIMEOUT".split()
    )
}
STATUS_FLAGS = ["DEMOTED", "VALNOTVALID", "ALTMODE"]
PATIENCE_SECONDS = 30

Completion = collections.namedtuple("Completion", "status flags lvb")


def are_compatible(held, wanted):
    allowed = {"NL": 6, "CR": 5, "CW": 3, "PR": 2, "PW": 2, "EX": 1}
    if "PR" in (held, wanted):
        return {held, wanted} <= {"NL", "CR", "PR"}
    return MODES.index(wanted) < allowed[held]


def bits(flags):
    return sum(FLAGS[flag] for flag in flags)


class Failure(Exception):
    """An expectation that was not met."""


class Lock:
    def __init__(self, node, name, number):
        self.node, self.name, self.number = node, name, number
        self.completions = collections.deque()
        self.notices = collections.deque()

    def __str__(self):
        return f"lock {self.number} on {self.name} of {self.node}"

    def convert(self, mode, *flags, lvb=None):
        self.node.convert(self, mode, flags, lvb)
        return self

    def unlock(self, *flags, lvb=None):
        self.node.unlock(self, flags, lvb)
        return self

    def cancel(self):
        self.node.cancel(self)
        return self

    def result(self, seconds=PATIENCE_SECONDS):
        """The next completion."""
        return self.node.await_(lambda: self.completions, f"the result of {self}", seconds).popleft()

    def expect(self, status, flags=None):
        result = self.result()
        if result.status != status or flags is not None and result.flags != set(flags):
            raise Failure(f"{self}: {result} instead of {status} {flags}")
        return result

    def granted(self):
        return self.expect(GRANTED)

    def notice(self):
        """The next mode that it is told to block."""
        return self.node.await_(lambda: self.notices, f"a notice for {self}").popleft()

    def must_wait(self):
        if self.completions:
            raise Failure(f"{self} should wait, but ended with {self.completions[0]}")


class Node:
    def __init__(self, number, address):
        self.number, self.address = number, address
        self.locks = {}
        self.answers = {}
        self.events = []
        self.sequence = 0
        self.news = threading.Condition()
        self.is_alive = True

    def await_(self, condition, what, seconds=PATIENCE_SECONDS):
        """The first true value of `condition`, looked at after each piece of news."""
        with self.news:
            self.news.wait_for(lambda: condition() or not self.is_alive, seconds)
            found = condition()
        if not found:
            raise Failure(f"{self}: no {what}" if self.is_alive else f"{self} died before {what}")
        return found

    def read_lines(self, stream):
        try:
            for line in stream:
                with self.news:
                    self.take(line.rstrip("\n"))
                    self.news.notify_all()
        except OSError:
            pass
        with self.news:
            self.is_alive = False
            self.news.notify_all()

    def answer(self, sequence, seconds=PATIENCE_SECONDS):
        self.await_(lambda: sequence in self.answers, f"answer to request {sequence}", seconds)
        return self.answers.pop(sequence)

    def await_event(self, matches, what, seconds=PATIENCE_SECONDS):
        def find():
            return [event for event in self.events if matches(event)]

        event = self.await_(find, what, seconds)[0]
        self.events.remove(event)
        return event


def lvb_field(lvb):
    return {"lvb": lvb} if lvb else {}


class SwiftNode(Node):
    """A dlm-peer in this network namespace."""

    def __init__(self, program, number, address, peers, lockspace, log, options=()):
        super().__init__(number, address)
        arguments = [program, "--node-id", str(number), "--address", address]
        arguments += ["--lockspace", lockspace, *options]
        for peer, peer_address in peers.items():
            if peer != number:
                arguments += ["--peer", f"{peer}={peer_address}"]
        self.log = open(log, "a", buffering=1, encoding="utf-8")
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        threading.Thread(target=self.read_lines, args=[self.process.stdout], daemon=True).start()
        self.request("dump")

    def __str__(self):
        return f"dlm-peer {self.number}"

    def take(self, line):
        self.log.write(f"< {line[:2000]}\n")
        message = json.loads(line)
        if "ok" in message:
            if "lkid" in message:
                self.locks[message["lkid"]] = Lock(self, "", message["lkid"])
            self.answers[message["id"]] = message
        elif message["event"] == "completion":
            self.locks[message["lkid"]].completions.append(
                Completion(message["status"], set(message["flags"]), message.get("lvb"))
            )
        elif message["event"] == "blocking":
            self.locks[message["lkid"]].notices.append(message["mode"])
        else:
            self.events.append(message)

    def send(self, operation, **fields):
        self.sequence += 1
        line = json.dumps({"id": self.sequence, "op": operation, **fields})
        self.log.write(f"> {line}\n")
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.sequence

    def request(self, operation, **fields):
        answer = self.answer(self.send(operation, **fields))
        if not answer["ok"]:
            raise Failure(f"{self}: {operation} {fields}: {answer['error']}")
        return answer

    def lock(self, name, mode, *flags, lvb=None):
        answer = self.request(
            "lock", resource=name, mode=mode, flags=flags, **lvb_field(lvb)
        )
        lock = self.locks[answer["lkid"]]
        lock.name = name
        return lock

    def convert(self, lock, mode, flags, lvb):
        self.request("convert", lkid=lock.number, mode=mode, flags=flags, **lvb_field(lvb))

    def unlock(self, lock, flags, lvb):
        self.request("unlock", lkid=lock.number, flags=flags, **lvb_field(lvb))

    def cancel(self, lock):
        self.request("cancel", lkid=lock.number)

    def lock_many(self, prefix, first, count, mode):
        """Locks without waiting for each; returns them when all are granted."""
        requests = [
            self.send("lock", resource=f"{prefix}-{number}", mode=mode)
            for number in range(first, first + count)
        ]
        locks = [self.locks[self.answer(request)["lkid"]] for request in requests]
        for lock in locks:
            lock.granted()
        return locks

    def unlock_many(self, locks):
        for lock in locks:
            self.answer(self.send("unlock", lkid=lock.number))
        for lock in locks:
            lock.expect(UNLOCKED)

    def dump(self):
        return self.request("dump")

    def leave(self, seconds):
        """Ends in order; the others must be started without it meanwhile."""
        started = time.monotonic()
        self.process.stdin.close()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self} does not end within {seconds} s") from None
        if status != 0:
            raise Failure(f"{self} ended with status {status}")
        silent = [event for event in self.events if event.get("silent")]
        if silent:
            raise Failure(f"{self}: {silent}")
        return time.monotonic() - started

    def kill(self):
        self.process.kill()
        self.process.wait()


class KernelNode(Node):
    """A Linux node of the lab, with kernel-node running in it."""

    CONFIG = "/sys/kernel/config/dlm/cluster"
    PORT = 7000

    def __init__(self, number, address, lab):
        super().__init__(number, address)
        self.mailbox = pathlib.Path(lab) / "nodes" / str(number) / "mailbox"
        self.jobs = len(list(self.mailbox.glob("*.run")))
        self.last_number = 40_000
        self.log = open(self.mailbox.parent / "driver.log", "a", 1, encoding="utf-8")
        # Lock calls that are not answered yet, by sequence number.
        self.calls = {}
        self.spawn(f"ln -s . /dev/misc; exec /lab/bin/kernel-node {self.PORT}")
        self.connect()

    def __str__(self):
        return f"kernel {self.number}"

    def connect(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.socket = socket.create_connection((self.address, self.PORT), 5)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        self.socket.settimeout(None)
        stream = self.socket.makefile("r", encoding="ascii")
        threading.Thread(target=self.read_lines, args=[stream], daemon=True).start()

    def take(self, line):
        self.log.write(f"< {line}\n")
        words = line.split(" ")
        if words[0] != "!":
            self.take_answer(int(words[0]), words[1:])
        elif words[1] == "ast":
            flags = {name for bit, name in enumerate(STATUS_FLAGS) if int(words[4]) >> bit & 1}
            lock = self.locks[int(words[2])]
            lock.completions.append(Completion(int(words[3]), flags, words[5]))
        elif words[1] == "bast":
            self.locks[int(words[2])].notices.append(MODES[int(words[3])])
        else:
            self.events.append(words[1:])

    def take_answer(self, sequence, words):
        lock = self.calls.pop(sequence, None)
        if lock is None:
            self.answers[sequence] = words
        elif words[0] != "0":
            # The call has no effect: this is its result.
            lock.completions.append(Completion(int(words[0]), set(), None))

    # Commands to kernel-node.

    def send(self, *words):
        self.sequence += 1
        line = " ".join([str(self.sequence), *map(str, words)])
        self.log.write(f"> {line}\n")
        self.socket.sendall(line.encode() + b"\n")
        return self.sequence

    def finish(self, sequence, what, seconds=PATIENCE_SECONDS):
        result, *more = self.answer(sequence, seconds)
        if int(result) != 0:
            raise Failure(f"{self}: {what}: errno {result}")
        return more

    def request(self, *words):
        return self.finish(self.send(*words), " ".join(map(str, words)))

    def begin_write(self, path, text):
        content = text if isinstance(text, bytes) else str(text).encode()
        return self.send("write", path, content.hex())

    def write(self, path, text):
        self.finish(self.begin_write(path, text), f"write {path}")

    # Locks. Nobody waits for the answers to calls.

    def call(self, lock, command, *words):
        with self.news:
            self.calls[self.sequence + 1] = lock
        self.send(command, lock.number, *words)

    def lock(self, name, mode, *flags, lvb=""):
        self.last_number += 1
        lock = self.locks[self.last_number] = Lock(self, name, self.last_number)
        self.call(lock, "lock", MODES.index(mode), bits(flags), name.encode().hex(), lvb)
        return lock

    def convert(self, lock, mode, flags, lvb):
        self.call(lock, "convert", MODES.index(mode), bits(flags), lvb or "")

    def unlock(self, lock, flags, lvb):
        self.call(lock, "unlock", bits(flags), lvb or "")

    def cancel(self, lock):
        self.call(lock, "unlock", FLAGS["CANCEL"])

    def lock_many(self, prefix, first, count, mode):
        self.request("many", first, count, MODES.index(mode), prefix)
        self.expect_many("many", count)
        return (first, count)

    def unlock_many(self, locks):
        self.request("drop", *locks)
        self.expect_many("dropped", locks[1])

    def expect_many(self, kind, count):
        event = self.await_event(lambda event: event[0] == kind, f"end of {kind}", 90)
        if event[1:] != [str(count), "0"]:
            raise Failure(f"{self}: {event}: not all {count} were")

    # The kernel's lock manager (through configfs and sysfs).

    def configure(self, cluster_name):
        self.request("mkdir", self.CONFIG)
        self.write(f"{self.CONFIG}/cluster_name", cluster_name)
        self.write(f"{self.CONFIG}/recover_callbacks", 1)

    def add_address(self, node, address):
        folder = f"{self.CONFIG}/comms/{node}"
        self.request("mkdir", folder)
        self.write(f"{folder}/nodeid", node)
        name = struct.pack("<HH", socket.AF_INET, 0) + socket.inet_aton(address)
        self.write(f"{folder}/addr", name.ljust(128, b"\0"))
        self.write(f"{folder}/local", int(node == self.number))

    def remove_address(self, node):
        self.request("rmdir", f"{self.CONFIG}/comms/{node}")

    # Shell commands, through the lab's mailbox.

    def spawn(self, command):
        self.jobs += 1
        (self.mailbox / f"{self.jobs}.run").write_text(command + "\n")
        (self.mailbox / f"{self.jobs}.go").touch()
        return self.mailbox / str(self.jobs)

    def finish_shell(self, job, seconds=60):
        deadline = time.monotonic() + seconds
        command = job.with_suffix(".run").read_text().strip()
        while not job.with_suffix(".rc").exists():
            if time.monotonic() > deadline:
                raise Failure(f"{self}: gave up after {seconds} s: {command}")
            time.sleep(0.05)
        output = job.with_suffix(".out").read_text()
        if job.with_suffix(".rc").read_text().strip() != "0":
            errors = job.with_suffix(".err").read_text()
            raise Failure(f"{self}: {command}: {output}{errors}")
        return output

    def shell(self, command, seconds=60):
        return self.finish_shell(self.spawn(command), seconds)
