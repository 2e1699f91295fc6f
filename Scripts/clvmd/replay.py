"""Plays recordings of LVM 2.02's commands against clvmd, in the guest of Scripts/kernel-clvmd.

A recording (Fixtures/clvmd) says how the volume group was made, what the command sent, what the
original clvmd answered, and which mapped devices there were in the end. No LVM 2.02 is here: Debian's
lvm makes the group and runs the same command once, on its own, so that the texts are known which the
command writes between its requests; then the disks are put back, and the recorded bytes are sent to
clvmd, with those texts written where the command would.

Replies and devices must be those recorded, but for what Fixtures/clvmd/intended-differences names.
Results go to /lab/steps.tsv.
"""
import json
import os
import re
import signal
import subprocess
import sys
import time

import lvm_metadata
from clvmd_client import Client, DEACTIVATE, LOCAL, SOCKET

DISKS = ["/dev/ubdb", "/dev/ubdc", "/dev/ubdd"]
HEAD = 2 << 20
THIN_HEAD = 48 << 20
STORE = "/run/clvmd/clustered-volumes"


def run(command, check=False):
    result = subprocess.run(command, shell=True, capture_output=True, text=True)
    with open("/lab/commands.log", "a") as log:
        log.write(f"$ {command}\n{result.stdout}{result.stderr}")
    if check and result.returncode != 0:
        raise RuntimeError(f"{command}: {result.stdout}{result.stderr}")
    return result


def lvm(commands):
    """Many commands in one process: a fork takes a tenth of a second in a guest."""
    text = "\n".join(commands)
    result = subprocess.run("lvm", input=text + "\n", capture_output=True, text=True)
    with open("/lab/commands.log", "a") as log:
        log.write(f"lvm> {text}\n{result.stdout}{result.stderr}")


class Daemon:
    """clvmd as test rigs start it."""

    def start(self):
        result = run("clvmd -I singlenode -T30")
        if result.returncode != 0:
            raise RuntimeError(f"clvmd does not start: {result.stderr}")

    def forget(self):
        """Ends clvmd as a kill does, and everything it knows of active volumes."""
        with open("/run/clvmd.pid") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        time.sleep(0.2)
        if os.path.exists(STORE):
            os.unlink(STORE)
        self.start()


class Recording:
    def __init__(self, path):
        self.name = os.path.basename(path).removesuffix(".jsonl")
        with open(path) as file:
            self.lines = [json.loads(line) for line in file]

    @property
    def setup(self):
        return self.lines[0].get("setup", [])

    @property
    def commands(self):
        return [line["argv"] for line in self.lines if line["dir"] == "run"]

    @property
    def volumes(self):
        """The recorded ids by `vg/lv`."""
        return {line["lv"]: line["name"] for line in self.lines if line.get("lv")}

    @property
    def commit_count(self):
        """How often the commands commit; in test mode they only say so."""
        count, has_suspended = 0, False
        for line in self.lines:
            data = bytes.fromhex(line["hex"]) if line["dir"] == "c2d" else b""
            if data[:1] == b"\x32" and data[17] == 0x9C:
                has_suspended = True
            if (data[:1] == b"\x33" and data[19:21] == b"P_" and not data[18] & 0x10
                    and (data[17] == 0x24 or data[17] == 0x14 and has_suspended)):
                count, has_suspended = count + 1, False
        return count

    @property
    def text_count(self):
        """How many texts the commands write: those that they commit, and those that they revert."""
        reverted = [line for line in self.lines if line["dir"] == "c2d" and is_revert(line)]
        return self.commit_count + len(reverted)

    @property
    def touches_volumes(self):
        return any(line["dir"] == "c2d" and line["hex"].startswith("32") for line in self.lines)

    @property
    def state(self):
        found = [line["dm"] for line in self.lines if line["dir"] == "state"]
        return normalized(found[-1]) if found else None


def is_revert(line):
    data = bytes.fromhex(line["hex"])
    return data[:1] == b"\x33" and data[17:18] == b"\x21" and data[19:21] == b"P_"


def normalized(lines):
    """Minor numbers of mapped devices are chance."""
    return sorted(re.sub(r"\b254:\d+", "254:*", line).rstrip() for line in lines
                  if line != "No devices found" and not line.endswith(":"))


def present_devices():
    info = run("dmsetup info -c --noheadings --separator : -o name,attr,suspended,tables_loaded")
    table = run("dmsetup table")
    lines = [] if "No devices" in info.stdout else info.stdout.splitlines()
    lines += [] if "No devices" in table.stdout else table.stdout.splitlines()
    return normalized(lines)


def for_debian(command):
    """The command without what only LVM 2.02 knows."""
    return re.sub(r" -c[yn]\b", "", command)


def modes_after(setup):
    """Which volumes the setup leaves active, with the word that activates them."""
    modes = {}
    for command in setup:
        words = command.split()
        word = 0x9D if "-aey" in words else 0x99
        if words[0] == "lvchange":
            modes[words[-1]] = word
        elif words[0] == "vgchange":
            modes[words[-1] + "/*"] = word
        elif words[0] == "lvcreate" and "-an" not in words and "-s" not in words:
            if "-V64m" in words:
                modes["vg0/thin0"] = 0x9D
            elif "-T" in words:
                modes[words[words.index("-T") + 1]] = 0x9D
            else:
                modes[f"vg0/{words[words.index('-n') + 1]}"] = word
    return modes


class Preparation:
    """A setup with what is on the disks after it, made once for all recordings that begin so."""

    def __init__(self, setup, head):
        self.setup, self.head = setup, head
        # lvm makes no group of a name that /dev has already.
        run("rm -rf /dev/vg0 /dev/vg1 /dev/vg9 /dev/vgl")
        for disk in DISKS:
            lvm_metadata.Disk(disk).write(0, bytes(head))
        lvm([for_debian(command) for command in setup
             if not command.startswith("sh ") and not command.startswith("lvchange")
             and not command.startswith("vgchange -a")] + ["vgchange -an"])
        group = lvm_metadata.Group(DISKS)
        self.text = group.committed()
        self.image = [lvm_metadata.Disk(disk).read(0, head) for disk in DISKS]

    def restore(self):
        for disk, image in zip(DISKS, self.image):
            lvm_metadata.Disk(disk).write(0, image)

    def versions(self, recording):
        """The texts that the recorded commands write, by running them with Debian's lvm."""
        if recording.text_count == 0 or not recording.touches_volumes:
            return []
        activations = [c for c in self.setup if c.startswith(("lvchange", "vgchange -a"))]
        if "-aey" in " ".join(self.setup) and not activations:
            activations = ["vgchange -ay"]
        lvm(activations + [for_debian(command) for command in recording.commands])
        found = lvm_metadata.Group(DISKS).versions()
        lvm(["vgchange -an"])
        run("dmsetup remove_all --force")
        self.restore()
        first = lvm_metadata.seqno(self.text) if self.text else 0
        return [text for text in found if lvm_metadata.seqno(text) > first]


class Skipped(Exception):
    pass


class Replay:
    def __init__(self, recording, preparation):
        self.recording = recording
        self.group = None
        self.differences = []
        versions = preparation.versions(recording)
        if recording.touches_volumes and len(versions) != recording.text_count:
            raise Skipped(f"LVM 2.03 writes {len(versions)} times, 2.02 {recording.text_count}")
        self.ids = {}
        for text in ([preparation.text] if preparation.text else []) + versions:
            self.ids.update(lvm_metadata.volume_ids(text))
        self.pending = [lvm_metadata.clustered(text) for text in versions]
        if preparation.text:
            self.group = lvm_metadata.Group(DISKS)
            # A version of its own, so that the text in force is marked.
            self.group.replace(lvm_metadata.clustered(preparation.text))
        self.is_precommitted = False
        self.has_suspended = False
        self.clients = {}

    def translate(self, data):
        known = [(recorded.encode(), self.ids[name].encode())
                 for name, recorded in self.recording.volumes.items() if name in self.ids]
        for recorded, present in known:
            data = data.replace(recorded, present)
        # A message names a group by the first characters of its id.
        for recorded, present in known:
            data = data.replace(b"vgid " + recorded[:8], b"vgid " + present[:8])
        return data

    def activate(self, setup):
        client = Client()
        for name, word in modes_after(setup).items():
            names = [n for n in self.ids if n.startswith(name[:-1])] if name[-1] == "*" else [name]
            for name in names:
                reply = client.volume(word, self.ids[name], self.activation_flags(setup))
                if not reply.is_good:
                    raise RuntimeError(f"{name} is not activated: {reply}")
        client.close()
        for command in setup:
            if command.startswith("sh "):
                run(command, check=True)

    def activation_flags(self, setup):
        """To whom the requests of the setup's activations go."""
        return 0

    def play(self):
        for index, line in enumerate(self.recording.lines):
            connection = line.get("conn")
            if line["dir"] == "open":
                self.clients[connection] = Client()
            elif line["dir"] == "c2d":
                if connection not in self.clients:
                    self.clients[connection] = Client()
                before = self.recording.lines[index - 1]
                if before["dir"] == "c2d" and before["conn"] == connection:
                    # In one piece with the request before it would be taken for surplus bytes.
                    time.sleep(0.5)
                self.before_request(line)
                self.clients[connection].send(self.translate(bytes.fromhex(line["hex"])))
            elif line["dir"] == "d2c":
                self.compare(index, line, self.clients[connection].receive())
                self.after_reply(index)
            elif line["dir"] == "close" and connection in self.clients:
                self.clients.pop(connection).close()
                self.await_clean_up()

    def await_clean_up(self):
        """What a client leaves suspended is resumed when it goes; the recording goes on after that."""
        if not self.has_suspended:
            return
        client = Client()
        for _ in range(100):
            answers = [client.query(volume, LOCAL) for volume in self.ids.values()]
            if all(text != "PW" for answer in answers for _, text in answer.entries.values()):
                break
            time.sleep(0.1)
        client.close()

    def before_request(self, line):
        data = bytes.fromhex(line["hex"])
        if data[0] == 0x32 and data[17] == 0x9C:
            self.has_suspended = True
        is_notice = data[0] == 0x33 and data[19:21] == b"P_" and data[21:22] != b"#"
        # With wait_for_locks = 0 the notice of a commit looks like that of a drop.
        if is_notice and self.is_precommitted and (
                data[17] == 0x24 or data[17] == 0x14 and self.has_suspended):
            self.group.commit()
            self.is_precommitted = self.has_suspended = False
        elif is_revert(line) and self.is_precommitted:
            self.group.revert()
            self.is_precommitted = self.has_suspended = False

    def after_reply(self, index):
        """After `drop` lvm writes what it is about to commit."""
        request = next(line for line in reversed(self.recording.lines[:index])
                       if line["dir"] == "c2d")
        data = bytes.fromhex(request["hex"])
        if (data[0] == 0x33 and data[17] & 0xEF == 0x04 and data[19:21] == b"P_"
                and data[21:22] != b"#" and self.pending and not self.is_precommitted
                and not self.has_suspended):
            self.group.precommit(self.pending.pop(0))
            self.is_precommitted = True

    def compare(self, index, line, received):
        expected = self.translate(bytes.fromhex(line["hex"]))
        if received != expected:
            self.differences.append(
                ("reply", f"line {index + 1}: {expected[8:].hex()} expected, {received[8:].hex()}"))

    def finish(self, daemon):
        state = self.recording.state
        present = present_devices()
        if state is not None and present != state:
            self.differences.append(("state", f"{state} expected, {present}"))
        for client in self.clients.values():
            client.close()
        run("pkill -x sleep")
        if not self.is_clean_after_deactivation():
            run("dmsetup remove_all --force")
            daemon.forget()


    def is_clean_after_deactivation(self):
        client = Client()
        for volume in self.ids.values():
            client.volume(DEACTIVATE, volume)
        is_clean = all(text == "" for volume in self.ids.values()
                       for _, text in client.query(volume).entries.values())
        client.close()
        return is_clean and not present_devices()


def intended_differences():
    """`RECORDING ASPECT WHY` a line; the aspect is `reply`, `state` or `skip`."""
    found = {}
    with open("/lab/fixtures/intended-differences") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, aspect, why = line.split(maxsplit=2)
                found[name, aspect] = why.strip()
    return found


def step(is_good, started, title, finding=""):
    result = "ok" if is_good else "FAILED"
    with open("/lab/steps.tsv", "a") as file:
        file.write(f"{result}\t{int((time.time() - started) * 1000)}\t{title}\t{finding}\n")


def replay(recording, preparation, daemon, intended, kind):
    started = time.time()
    title = f"Recording {recording.name}"
    expected = {aspect: why for (name, aspect), why in intended.items() if name == recording.name}
    preparation.restore()
    try:
        played = kind(recording, preparation)
        played.activate(preparation.setup)
        played.play()
        played.finish(daemon)
        found = played.differences
    except Skipped as reason:
        found = [("skip", str(reason))]
    except Exception as error:
        found = [("breakdown", f"{type(error).__name__}: {error}")]
        run("dmsetup remove_all --force")
        daemon.forget()
    surprises = [text for aspect, text in found if aspect not in expected]
    missing = [f"{aspect} does not differ any more" for aspect in expected
               if aspect not in {aspect for aspect, _ in found}]
    known = [f"as intended: {expected[aspect]}" for aspect in expected]
    step(not surprises and not missing, started, title, "; ".join(surprises + missing or known))


def replay_all(daemon, kind=Replay):
    intended = intended_differences()
    with open("/lab/recordings") as file:
        names = file.read().split()
    recordings = [Recording(f"/lab/fixtures/{name}.jsonl") for name in names]
    preparations = {}
    for recording in sorted(recordings, key=lambda recording: recording.setup):
        head = THIN_HEAD if "thin" in recording.name else HEAD
        key = (tuple(recording.setup), head)
        if key not in preparations:
            preparations.clear()
            preparations[key] = Preparation(recording.setup, head)
        replay(recording, preparations[key], daemon, intended, kind)


def main():
    daemon = Daemon()
    daemon.start()
    replay_all(daemon)
    assert os.path.exists(SOCKET)
    open("/lab/finished", "w").close()


if __name__ == "__main__":
    sys.exit(main())
