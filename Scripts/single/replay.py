"""The recordings of Fixtures/lvmlockd, played against the daemon on its socket.

The bytes are those that LVM's commands sent to the real lvmlockd; the replies must be the same as far
as lvm looks at them, but for what Fixtures/lvmlockd/situations.json says. Only what
happened on one node can be played on one: recordings of two nodes are played by the unit tests
(ReplayTests), two machines to a recording.
"""
import json
import os
import time

from machine import Client, Failure, expect

# What lvm looks at in a reply.
COMPARED = ("op_result", "result", "mode", "vg_lock_args", "protocol", "version")

def recordings(folder):
    for name in sorted(os.listdir(folder)):
        if name.endswith(".jsonl"):
            lines = [json.loads(line) for line in open(f"{folder}/{name}")]
            yield name[:-len(".jsonl")], lines


def is_playable(lines):
    """Of one node, and without an end of the daemon."""
    return ({line.get("node", "n1") for line in lines} == {"n1"}
            and not any('"quit"' in line["text"] for line in lines))


def fields(text):
    found = {}
    for line in text.split("\n"):
        if "=" in line:
            name, value = (part.strip().strip('"') for part in line.split("=", 1))
            found.setdefault(name, value)
    return found


class Replay:
    def __init__(self, name, lines, situation):
        self.name, self.lines, self.situation = name, lines, situation
        self.different = {
            int(key): value["op_result"] for key, value in situation.get("different", {}).items()}
        self.clients, self.requests, self.waiting = {}, {}, {}
        self.compared, self.unexpected = 0, []
        # The cluster of the recording is not that of the daemon.
        self.clusters = ("1.0.0:lab", "1.0.0:test")

    def prepare(self):
        for vg in self.situation.get("started", [["vg1"]])[0]:
            client = Client()
            reply = client.ask("start_vg", vg_name=vg, vg_lock_type="dlm",
                               vg_lock_args="1.0.0:test", vg_uuid="UU", opts="none")
            expect(reply["op_result"] == "0", f"{self.name}: {vg} does not start: {reply}")
            for uuid, mode in self.situation.get("locked", {}).get("1", {}).items():
                reply = client.ask("lock_lv", cmd="replay", mode=mode, opts="persistent", vg_name=vg,
                                   lv_name="lv", lv_uuid=uuid)
                expect(reply["op_result"] == "0", f"{self.name}: {uuid}: {reply}")
            client.close()

    def text(self, line):
        return line["text"].replace(*self.clusters)

    def play(self):
        for line in self.lines:
            connection = line.get("conn")
            if line["dir"] == "open":
                self.clients[connection] = Client(timeout=30)
            elif line["dir"] == "lvm>lockd" and connection in self.clients:
                self.requests[connection] = self.text(line)
                self.clients[connection].send(self.text(line).encode())
            elif line["dir"] == "lvm>lockd eof" and connection in self.clients:
                self.clients.pop(connection).close()
                time.sleep(0.02)
            elif line["dir"] == "lockd>lvm" and connection in self.clients:
                self.compare(line, connection)

    def compare(self, line, connection):
        wanted, found = fields(self.text(line)), self.clients[connection].reply()
        request = fields(self.requests.get(connection, "")).get("request", "?")
        if request in ("info", "dump"):
            return
        self.compared += 1
        if found is None:
            self.unexpected.append(f"{self.name} {self.compared}: {request}: no reply")
            return
        intended = self.different.get(self.compared)
        if intended is not None:
            wanted["op_result"] = str(intended)
        for name in COMPARED:
            if name in wanted and wanted[name] != found.get(name):
                self.unexpected.append(
                    f"{self.name} {self.compared}: {request}: {name} is {found.get(name)}, "
                    f"was {wanted[name]}")

    def clean_up(self):
        for client in self.clients.values():
            client.close()
        client = Client()
        client.ask("stop_all", cmd="replay", opts="force wait")
        client.close()


def replay(machine):
    folder = f"{machine.folder}/recordings"
    situations = json.load(open(f"{folder}/situations.json"))
    played = compared = different = 0
    unexpected = []
    for name, lines in recordings(folder):
        situation = situations.get(name, {})
        if (not is_playable(lines) or "not_played" in situation
                or situation.get("nodes", 1) > 1):
            continue
        one = Replay(name, lines, situation)
        try:
            one.prepare()
            one.play()
        except (OSError, Failure) as error:
            unexpected.append(f"{name}: {error}")
        finally:
            one.clean_up()
        played += 1
        compared += one.compared
        different += len(one.different)
        unexpected += one.unexpected
    machine.log.write("\n".join(unexpected) + "\n")
    expect(not unexpected, f"{len(unexpected)} replies differ: {'; '.join(unexpected[:3])}")
    return f"{played} recordings, {compared} replies the same, {different} different as intended"
