"""Every type of volume, made by LVM and activated by clvm, in the guest of Scripts/kernel-volumes.

Each type is tried on a new volume group vg:

  1  LVM makes the volumes; data is written; LVM activates them anew.
  2  clvm dm-tables, from the disks alone, tells what is in the kernel then.
  3  clvm vgchange -an leaves no device behind; clvm vgchange -ay makes the very devices that LVM
     made: names, UUIDs, tables, permissions. The data is there.
  4  LVM and clvm in turn change what clvm has activated, while the volume is written to.
  5  clvm lvchange --refresh finds nothing to do, LVM finds nothing to complain of, and what is
     in the kernel is what clvm would load.
  6  LVM deactivates what clvm has activated, and clvm what LVM has.

Results go to /lab/steps.tsv, commands and their output to /lab/commands.log.
"""
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time

DISKS = [f"/dev/ubd{letter}" for letter in "abcdef"]
DEVICES = ",".join(DISKS)

# name: (commands that make the volumes, commands that change them, volumes that are written to).
# Changes are LVM's, but for those that begin with clvm.
TYPES = {
    "linear": (
        ["lvcreate -n a -l 5 vg", "lvcreate -n b -l 3 vg", "lvextend -l +2 vg/a"],
        ["lvextend -l +3 vg/a", "clvm lvextend -l +4 vg/a", "lvreduce -f -l -2 vg/a",
         "clvm lvreduce -f -l -3 vg/a", "clvm lvextend -l +1 vg/b"],
        ["a", "b"],
    ),
    "striped": (
        ["lvcreate -i 3 -I 16k -n a -l 6 vg"],
        ["lvextend -l +3 vg/a", "clvm lvextend -l +3 vg/a"],
        ["a"],
    ),
    "error-zero": (
        ["lvcreate --type error -n e -l 2 vg", "lvcreate --type zero -n z -l 3 vg"],
        ["lvextend -l +2 vg/z"],
        [],
    ),
    "mirror": (
        ["lvcreate --type mirror -m 1 --mirrorlog disk -n a -l 3 vg",
         "lvcreate --type mirror -m 2 --mirrorlog core -n c -l 2 vg"],
        ["lvextend -l +2 vg/a", "clvm lvextend -l +1 vg/a"],
        ["a", "c"],
    ),
    "raid1": (
        ["lvcreate --type raid1 -m 2 -R 256k --maxrecoveryrate 5000 -n a -l 3 vg"],
        ["lvextend -l +2 vg/a", "clvm lvextend -l +3 vg/a", "lvreduce -f -l -1 vg/a",
         "clvm lvreduce -f -l -1 vg/a"],
        ["a"],
    ),
    "raid10": (
        ["lvcreate --type raid10 -m 1 -i 2 -n a -l 4 vg"],
        ["clvm lvextend -l +2 vg/a"],
        ["a"],
    ),
    "raid5-raid6": (
        ["lvcreate --type raid5_la -i 2 -I 32k -n a -l 4 vg",
         "lvcreate --type raid6_nc -i 3 -n b -l 3 vg", "lvcreate --type raid0_meta -i 2 -n c -l 2 vg"],
        ["lvextend -l +2 vg/a", "clvm lvextend -l +2 vg/a"],
        ["a", "b", "c"],
    ),
    "integrity": (
        ["lvcreate --type raid1 -m 1 --raidintegrity y -n a -l 3 vg"],
        [],
        ["a"],
    ),
    "snapshot": (
        ["lvcreate -n a -l 4 vg", "lvcreate -s -n s -l 2 vg/a", "lvcreate -s -c 32k -pr -n t -l 2 vg/a"],
        ["lvextend -l +1 vg/s"],
        ["a", "s"],
    ),
    "virtual-snapshot": (
        ["lvcreate -s -n v -L 12m -V 64m vg"],
        [],
        ["v"],
    ),
    "thin": (
        ["lvcreate --type thin-pool -L 40m -c 128k --discards nopassdown -n p vg",
         "lvcreate -V 80m --thinpool p -n a vg", "lvcreate -s -kn -n s vg/a"],
        ["lvextend -L +16m vg/a", "lvextend -l +2 vg/p", "lvcreate -V 16m --thinpool p -n b vg"],
        ["a", "s"],
    ),
    "thin-raid-external": (
        ["lvcreate --type raid1 -m 1 -n p -l 8 vg", "lvcreate --type raid1 -m 1 -n m -l 1 vg",
         "lvconvert -y --type thin-pool --poolmetadata vg/m --errorwhenfull y --zero n vg/p",
         "lvcreate -n e -l 3 vg", "lvchange -an vg/e", "lvchange -pr vg/e",
         "lvcreate -s -n x --thinpool p vg/e"],
        ["lvextend -l +2 vg/p"],
        ["x"],
    ),
    "cache": (
        ["lvcreate -n a -l 6 vg", "lvcreate --type cache-pool -L 16m -c 512k -n c vg",
         "lvconvert -y --type cache --cachepool vg/c --cachemode writeback vg/a"],
        [],
        ["a"],
    ),
    "cachevol": (
        ["lvcreate -n a -l 6 vg", "lvcreate -n f -l 4 vg",
         "lvconvert -y --type cache --cachevol vg/f --cachesettings migration_threshold=4096 vg/a"],
        ["lvextend -l +2 vg/a"],
        ["a"],
    ),
    "writecache": (
        ["lvcreate -n a -l 6 vg", "lvcreate -n f -l 4 vg", "lvchange -an vg/a vg/f",
         "lvconvert -y --type writecache --cachevol vg/f "
         "--cachesettings 'high_watermark=70 writeback_jobs=64' vg/a", "lvchange -ay vg/a"],
        [],
        ["a"],
    ),
}


class Failure(Exception):
    pass


log = None


def run(command, check=True):
    """Runs a shell command; its output, or Failure."""
    started = time.monotonic()
    result = subprocess.run(
        command, shell=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    log.write(f"$ {command}   [{result.returncode}, {time.monotonic() - started:.1f} s]\n"
              f"{result.stdout}{result.stderr}")
    if check and result.returncode != 0:
        words = (result.stderr or result.stdout).strip().split("\n")[-1]
        raise Failure(f"{command}: status {result.returncode}: {words}")
    return result.stdout


def expect(truth, what):
    if not truth:
        raise Failure(what)


def live_devices():
    """Every mapped device: name, UUID, permission and table, with devices in it by name."""
    numbers = {f"98:{16 * index}": f"@{disk}" for index, disk in enumerate(DISKS)}
    infos = {}
    listed = run("dmsetup info -c --noheadings --separator ' ' -o name,uuid,major,minor,attr")
    for line in listed.split("\n"):
        words = line.split()
        if len(words) == 5:
            name, uuid, major, minor, attributes = words
            numbers[f"{major}:{minor}"] = f"@dm:{name}"
            infos[name] = {"uuid": uuid, "attributes": attributes, "table": []}
    for line in run("dmsetup table").split("\n"):
        match = re.match(r"(\S+): (\d+) (\d+) (\S+) ?(.*)", line)
        if match:
            name, start, length, target, parameters = match.groups()
            words = [named(word, numbers) for word in parameters.split()]
            infos[name]["table"].append((int(start), int(length), target, " ".join(words)))
    return infos


def named(word, numbers):
    prefix = "meta_device:" if word.startswith("meta_device:") else ""
    return prefix + numbers.get(word[len(prefix):], word[len(prefix):])


def planned_devices():
    text = run(f"clvm dm-tables --json --devices {DEVICES} vg")
    return {
        name: {
            "uuid": device["uuid"],
            "table": [
                (line["start"], line["length"], line["target"], line["params"])
                for line in device["table"]
            ],
        }
        for name, device in json.loads(text)["devices"].items()
    }


def canonical(line):
    """A table line without what the kernel reports in words of its own."""
    start, length, target, parameters = line
    words = parameters.split()
    if target == "raid" and len(words) > 3:
        count = int(words[1])
        options, rest, kept = words[3:2 + count], words[2 + count:], []
        index = 0
        while index < len(options):
            if options[index] in ("sync", "nosync"):
                index += 1
                continue
            if options[index] != "rebuild":
                kept.append(" ".join(options[index:index + 2]))
            index += 2
        words = [words[0], words[2]] + sorted(kept) + rest
    elif target == "mirror":
        words = [words[0]] + [word for word in words[2:] if word != "nosync"]
    elif target == "integrity":
        kept = [word for word in words[5:] if word.startswith(("meta_device", "internal_hash"))]
        words = words[:4] + sorted(kept)
    elif target == "cache":
        words = ["smq" if word == "mq" else word for word in words]
    return start, length, target, " ".join(words)


def expect_same_tables(found, wanted, what, exactly=True):
    expect(set(found) == set(wanted), f"{what}: {sorted(set(found) ^ set(wanted))} differ")
    for name, device in wanted.items():
        expect(found[name]["uuid"] == device["uuid"], f"{what}: UUID of {name}")
        if "attributes" in device:
            expect(found[name]["attributes"] == device["attributes"],
                   f"{what}: {name} has {found[name]['attributes']}, not {device['attributes']}")
        tables = found[name]["table"], device["table"]
        if not exactly:
            tables = [[canonical(line) for line in table] for table in tables]
        expect(tables[0] == tables[1], f"{what}: {name} has {tables[0]}, not {tables[1]}")


def expect_planned_is_live(what):
    """All that clvm would load is there, and nothing else that belongs to a volume."""
    live, planned = live_devices(), planned_devices()
    for device in live.values():
        del device["attributes"]
    expect_same_tables(live, planned, what, exactly=False)


def expect_lvm_is_content(what):
    for command in ("vgck vg", "lvs -a --noheadings vg", f"pvck {DISKS[0]}"):
        output = subprocess.run(
            command, shell=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        log.write(f"$ {command}   [{output.returncode}]\n{output.stdout}{output.stderr}")
        expect(output.returncode == 0 and not output.stderr,
               f"{what}: {command}: {output.stderr.strip()}")
    states = [
        line["lv_name"] for line in json.loads(
            run("lvs --reportformat json -o lv_name,lv_active,lv_suspended,lv_inactive_table vg")
        )["report"][0]["lv"] if line["lv_suspended"] or line["lv_inactive_table"]
    ]
    expect(not states, f"{what}: {states} are suspended or have inactive tables")


def write(volume):
    """Half of the first four MiB get a pattern of their own."""
    block = hashlib.sha256(volume.encode()).digest() * 2048
    with open(f"/dev/vg/{volume}", "r+b", buffering=0) as device:
        for index in range(0, 32):
            device.seek(index * 2 * len(block))
            device.write(block)
        os.fsync(device.fileno())


def verify(volume, what):
    block = hashlib.sha256(volume.encode()).digest() * 2048
    with open(f"/dev/vg/{volume}", "rb", buffering=0) as device:
        for index in range(0, 32):
            device.seek(index * 2 * len(block))
            expect(device.read(len(block)) == block, f"{what}: data of {volume} at block {index}")


class Writer:
    """Writes the odd blocks of a volume without pause; an error of one write is an error at the end."""

    def __init__(self, volume):
        self.path, self.count, self.error, self.stopped = f"/dev/vg/{volume}", 0, None, False
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        try:
            with open(self.path, "r+b", buffering=0) as device:
                while not self.stopped:
                    device.seek((self.count % 32 * 2 + 1) * 65536)
                    device.write(self.count.to_bytes(8, "little") * 8192)
                    os.fdatasync(device.fileno())
                    self.count += 1
                    time.sleep(0.005)
        except OSError as error:
            self.error = error

    def stop(self, what):
        self.stopped = True
        self.thread.join(60)
        expect(not self.thread.is_alive(), f"{what}: a write hangs")
        expect(self.error is None, f"{what}: a write failed: {self.error}")
        expect(self.count > 0, f"{what}: nothing was written")


def event_counts():
    """A resume is an event; caches have events of their own."""
    return [
        line for line in run("dmsetup info -c --noheadings -o name,events").split("\n")
        if line and "cache" not in run(f"dmsetup table {line.split(':')[0]}")
    ]


def wait_until_synced():
    """Resynchronisation changes what the kernel reports."""
    for _ in range(200):
        text = run("dmsetup status --target raid") + run("dmsetup status --target mirror")
        ratios = re.findall(r" (\d+)/(\d+) (?:idle|resync|recover|1 )", text)
        if "resync" not in text and "recover" not in text and all(a == b for a, b in ratios):
            return
        time.sleep(0.1)


def try_type(name):
    make, change, written = TYPES[name]
    run(f"vgcreate -s 4m vg {' '.join(DISKS)}")
    for command in make:
        run(f"{command} -y" if command.startswith("lvcreate") else command)
    wait_until_synced()
    for volume in written:
        write(volume)
    run("vgchange -an vg")
    expect(not live_devices(), "LVM has left devices active")
    run("vgchange -ay vg")
    wait_until_synced()
    made_by_lvm = live_devices()
    expect_planned_is_live("after LVM's activation")

    run(f"clvm vgchange -an --devices {DEVICES} vg")
    expect(not live_devices(), f"clvm has left {sorted(live_devices())}")
    run(f"clvm vgchange -ay --devices {DEVICES} vg")
    wait_until_synced()
    expect_same_tables(live_devices(), made_by_lvm, "after clvm's activation")
    for volume in written:
        verify(volume, "after clvm's activation")
    expect_lvm_is_content("after clvm's activation")

    writer = Writer(written[0]) if written else None
    try:
        for command in change:
            if command.startswith("clvm"):
                run(f"{command} -y --devices {DEVICES}")
                expect_lvm_is_content(f"after {command}")
            else:
                run(f"{command} -y" if command.startswith("lvcreate") else command)
            wait_until_synced()
            expect_planned_is_live(f"after {command}")
        before = event_counts()
        run(f"clvm lvchange --refresh --devices {DEVICES} vg")
        expect(event_counts() == before, "a refresh without need has resumed devices")
        expect_planned_is_live("after a refresh")
    finally:
        if writer:
            writer.stop("while LVM and clvm changed tables")
    for volume in written:
        verify(volume, "after the changes")
    expect_lvm_is_content("after the changes")
    run("vgchange -an vg")
    expect(not live_devices(), f"LVM cannot deactivate {sorted(live_devices())}")
    run(f"clvm vgchange -ay --devices {DEVICES} vg")
    for volume in written:
        verify(volume, "after the second activation")
    run(f"clvm vgchange -an --devices {DEVICES} vg")
    expect(not live_devices(), f"clvm has left {sorted(live_devices())}")
    return f"{len(made_by_lvm)} devices" + (f", {writer.count} writes" if writer else "")


def clean_up():
    for _ in range(5):
        run("dmsetup remove_all --force", check=False)
        if not live_devices():
            break
    run("vgremove -ff -y vg; rm -rf /dev/vg", check=False)
    for disk in DISKS:
        run(f"dd if=/dev/zero of={disk} bs=1M count=1 conv=notrunc status=none", check=False)
    run(f"pvcreate -y {' '.join(DISKS)}")


def step(name):
    started = time.monotonic()
    try:
        result, finding = "ok", try_type(name)
        run("vgremove -ff -y vg")
    except Failure as failure:
        result, finding = "FAILED", str(failure)
        clean_up()
    milliseconds = int((time.monotonic() - started) * 1000)
    with open("/lab/steps.tsv", "a") as steps:
        steps.write(f"{result}\t{milliseconds}\t{name}\t{finding}\n")


def main():
    global log
    if sys.argv[1:] == ["--list"]:
        print("\n".join(TYPES))
        return
    log = open("/lab/commands.log", "a", buffering=1)
    os.environ["PATH"] = "/lab/bin:" + os.environ["PATH"]
    names = open("/lab/types").read().split()
    run(f"pvcreate -y {' '.join(DISKS)}")
    for name in names:
        step(name)
    open("/lab/finished", "w").close()


if __name__ == "__main__":
    sys.exit(main())
