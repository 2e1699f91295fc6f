"""Plays the recordings of two nodes: what the command of node "a" sent goes to the clvmd here, and
what happened on node "1b" meanwhile is made to happen there. See replay.py, of which this is a part.

Fixtures/clvmd/other-node says what that is, a line per recording: RECORDING ACTION [ARGUMENT].

    shared, exclusive   the volume is active there alone, in that mode
    open                its device there is in use
    hide DISK           clvmd there does not see this disk
    hold SECONDS        a client there has the group's lock so long, and closes its connection then
    restart             clvmd there is killed and started again
"""
import struct
import sys
import threading
import time

import replay
from clvmd_client import ACTIVATE, EXCLUSIVE, LOCAL, WRITE, Client
from far_node import FarNode
from replay import Skipped, run

far = FarNode("10.77.0.2")
CONFIGURATION = "/etc/lvm/lvm.conf"
# As Scripts/kernel-clvmd-pair starts it.
START = "setsid clvmd --config /etc/lvm/clvmd.conf >>/lab/far.log 2>&1 </dev/null &"


def actions():
    found = {}
    with open("/lab/fixtures/other-node") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, action, *argument = line.split(maxsplit=2)
                found.setdefault(name, []).append((action, " ".join(argument).strip()))
    return found


class Pair:
    """Both daemons, for a replay that has left something behind."""

    def forget(self):
        run("dmsetup remove_all --force")
        far.run("pkill -x sleep; dmsetup remove_all --force")


class PairReplay(replay.Replay):
    def __init__(self, recording, preparation):
        self.actions = actions().get(recording.name, [])
        if (recording.name, "skip") in replay.intended_differences():
            raise Skipped("not to be played")
        super().__init__(recording, preparation)
        self.undo = []

    @property
    def volume(self):
        return self.ids["vg0/lv0"]

    def activation_flags(self, setup):
        return LOCAL if any(word in " ".join(setup) for word in ("-aly", "-aey")) else 0

    def activate(self, setup):
        super().activate([command for command in setup if not command.startswith("node2")])
        for action, argument in self.actions:
            getattr(self, f"do_{action}")(argument)

    def do_shared(self, _):
        self.activate_there(ACTIVATE)

    def do_exclusive(self, _):
        self.activate_there(EXCLUSIVE)

    def activate_there(self, word):
        client = far.client()
        reply = client.volume(word, self.volume, LOCAL)
        client.close()
        assert reply.is_good, f"not active on 1b: {reply}"

    def do_open(self, _):
        far.run("sleep 1000 </dev/mapper/vg0-lv0 >/dev/null 2>&1 & sleep 0.5")
        self.undo.append("pkill -x sleep")

    def do_hide(self, disk):
        far.run(f"cp {CONFIGURATION} /run/seen && "
                f"sed -i 's,filter = .,&\"r|^{disk}$|\"\\, ,' {CONFIGURATION}")
        self.undo.append(f"cp /run/seen {CONFIGURATION}")

    def do_hold(self, seconds):
        client = far.client()
        assert client.group(WRITE, "V_vg0").is_good
        threading.Timer(float(seconds), client.close).start()

    def do_restart(self, _):
        far.run("pkill -KILL -x clvmd; while pgrep -x clvmd >/dev/null; do sleep 0.1; done; " + START)
        client = Client()
        for _ in range(300):
            if len(client.query(self.volume).entries) == 2:
                break
            time.sleep(0.2)
        client.close()

    def compare(self, index, line, received):
        """The order of the nodes in a reply is that in which they were done."""
        expected = self.translate(bytes.fromhex(line["hex"]))
        if ordered(received) != ordered(expected):
            self.differences.append(
                ("reply", f"line {index + 1}: {expected[8:].hex()} expected, {received[8:].hex()}"))

    def finish(self, daemon):
        for command in self.undo:
            far.run(command)
        super().finish(daemon)

    def is_clean_after_deactivation(self):
        is_clean = super().is_clean_after_deactivation()
        return far.run("dmsetup table").startswith("No devices") and is_clean


def ordered(reply):
    """A reply's head, and its entries in the order of the nodes' names."""
    if len(reply) < 18:
        return reply
    entries, rest = [], reply[17:-1]
    while rest:
        node, rest = rest.split(b"\0", 1)
        status = struct.unpack_from("<i", rest)[0]
        text, rest = rest[4:].split(b"\0", 1)
        entries.append((node, status, text))
    return reply[:17], sorted(entries)


def main():
    replay.replay_all(Pair(), PairReplay)
    open("/lab/finished", "w").close()


if __name__ == "__main__":
    sys.exit(main())
