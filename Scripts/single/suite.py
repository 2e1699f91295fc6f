"""Debian's lvm and this daemon on one machine; see Scripts/single-node."""
import os
import signal
import subprocess
import time

import habits
from machine import Client, PID_FILE, SOCKET, expect, main
from replay import replay

VG = "svg"


def start(machine):
    started = time.monotonic()
    machine.start_daemon()
    seconds = time.monotonic() - started
    expect(os.path.exists(SOCKET), f"{SOCKET} is missing")
    mode = os.stat(SOCKET).st_mode & 0o777
    expect(mode == 0o600, f"{SOCKET} has mode {mode:o}")
    # Ready means that the first command finds a cluster.
    machine.run("vgs")
    machine.refused("lvmlockd -T", "lvmlockd", status=13)
    machine.refused("lvmlockd -g sanlock", "sanlock", status=1)
    machine.refused("lvmlockd --nonsense", "--help", status=1)
    return f"ready after {seconds:.1f} s, no configuration"


def create(machine):
    disks = " ".join(machine.disks[:5])
    machine.run(f"pvcreate {disks} {machine.disks[5]}")
    machine.run(f"vgcreate --shared -s 4m {VG} {disks}")
    row = machine.rows(f"vgs -o vg_name,vg_lock_type,vg_lock_args,vg_shared {VG}")[0]
    expect(row["vg_lock_type"] == "dlm" and row["vg_lock_args"] == "1.0.0:test", str(row))
    machine.refused(f"vgcreate --locktype sanlock tvg {machine.disks[5]}", "lobal lock failed")
    machine.run(f"vgextend {VG} {machine.disks[5]}")
    machine.run(f"vgreduce {VG} {machine.disks[5]}")
    return "lock type dlm, of cluster test"


def active(machine, volume):
    return machine.rows(f"lvs -o lv_name,lv_active {VG}/{volume}")[0]["lv_active"] != ""


def linear(machine):
    machine.run(f"lvcreate -n a -l 4 {VG}")
    machine.run(f"lvcreate -an -n b -l 2 {VG}")
    machine.run(f"lvchange -an {VG}/a")
    for how in ("-ay", "-aey", "-asy"):
        machine.run(f"lvchange {how} {VG}/a")
        expect(active(machine, "a"), f"not active after {how}")
        machine.run(f"lvchange -an {VG}/a")
    machine.run(f"lvchange -asy {VG}/a")
    machine.refused(f"lvextend -l +1 {VG}/a", "incompatible mode")
    machine.run(f"lvextend --lockopt shupdate -l +1 {VG}/a")
    machine.refused(f"lvreduce -f -l -1 {VG}/a", "incompatible mode")
    machine.run(f"lvchange -aey {VG}/a")
    machine.run(f"lvextend -l +1 {VG}/a")
    machine.run(f"lvreduce -f -l -2 {VG}/a")
    machine.run(f"lvrename {VG} a c")
    machine.run(f"lvchange --addtag t {VG}/c")
    machine.run(f"lvchange --refresh {VG}/c")
    expect(active(machine, "c"), "not active under its new name")
    size = machine.run("dmsetup table svg-c").split()[1]
    expect(size == str(4 * 8192), f"table of {size} sectors")
    machine.run(f"lvremove -y {VG}/b")
    return "create, activate, extend, reduce, rename, remove"


def info(machine):
    """Both lvmlockctls on the same state."""
    original = machine.run("/usr/sbin/lvmlockctl --info")
    ours = machine.run("lvmlockctl --info")
    expect(original == ours, f"LVM's lvmlockctl: {original!r}, ours: {ours!r}")
    uuid = machine.rows(f"lvs -o lv_uuid {VG}/c")[0]["lv_uuid"]
    expect(f"LK LV ex {uuid}" in ours, f"the lock of c is not told: {ours}")
    expect('"lock_type": "dlm"' in machine.run("lvmlockctl --info --json"), "no JSON")
    for program in ("/usr/sbin/lvmlockctl", "lvmlockctl"):
        expect("lock_vg" in machine.run(f"{program} --dump"), f"{program}: no events")
        expect("info=ls" in machine.run(f"{program} --info --dump"), f"{program}: no raw state")
    # LVM's program exits 0 all the same.
    machine.run("/usr/sbin/lvmlockctl --quit")
    machine.refused("lvmlockctl --quit", "a lockspace is started", status=1)
    machine.refused("lvmlockctl -S -w 0", "still started", status=1)
    machine.refused(f"lvmlockctl -E {VG}", "in no volume group", status=1)
    return f"{len(ours.splitlines())} lines, the same of both"


def snapshots(machine):
    machine.run(f"lvcreate -s -n s -l 1 {VG}/c")
    machine.run(f"lvchange -an {VG}/c")
    machine.refused(f"lvchange -asy {VG}/c", "c")
    expect(not active(machine, "c"), "an origin is shared")
    machine.run(f"lvchange -aey {VG}/c")
    machine.run(f"lvremove -y {VG}/s")
    machine.run(f"lvchange -an {VG}/c")
    machine.run(f"lvchange -asy {VG}/c")
    machine.run(f"lvchange -an {VG}/c")
    return "an origin is never shared, and again when its snapshot is gone"


def thin(machine):
    machine.run(f"lvcreate --type thin-pool -L 20m -n p {VG}")
    machine.run(f"lvcreate -V 40m --thinpool p -n t1 {VG}")
    machine.run(f"lvcreate -s -n t2 {VG}/t1")
    machine.run(f"lvchange -ay -K {VG}/t2")
    machine.refused(f"lvchange -asy {VG}/t1", "not compatible")
    machine.run(f"lvextend -L +8m {VG}/t1")
    machine.run(f"lvextend -L +8m {VG}/p")
    machine.run(f"lvchange -an {VG}/t1 {VG}/t2 {VG}/p")
    machine.run(f"lvchange -ay {VG}/t1")
    machine.run(f"lvremove -y {VG}/t2 {VG}/t1 {VG}/p")
    return "pool, volume, snapshot, resize"


def raid(machine):
    machine.run(f"lvcreate --type raid1 -m 1 --nosync -y -n r -l 2 {VG}")
    machine.refused(f"lvchange -asy {VG}/r", "not compatible")
    machine.run(f"lvextend --nosync -l +1 {VG}/r")
    machine.run(f"lvconvert -y -m 0 {VG}/r")
    machine.run(f"lvremove -y {VG}/r")
    machine.run(f"lvcreate --type mirror -m 1 --mirrorlog core --nosync -y -n m -l 2 {VG}")
    machine.run(f"lvremove -y {VG}/m")
    return "raid1 and mirror"


def caches(machine):
    machine.run(f"lvcreate -n d -l 3 {VG}")
    machine.run(f"lvcreate -n f -l 3 {VG}")
    machine.run(f"lvchange -an {VG}/d {VG}/f")
    machine.run(f"lvconvert -y --type writecache --cachevol f {VG}/d")
    machine.refused(f"lvchange -asy {VG}/d", "d")
    machine.run(f"lvchange -aey {VG}/d")
    machine.run(f"lvremove -y {VG}/d")
    machine.run(f"lvcreate -n d -l 3 {VG}")
    machine.run(f"lvcreate -n f -l 3 {VG}")
    machine.run(f"lvconvert -y --type cache --cachevol f {VG}/d")
    machine.run(f"lvconvert -y --splitcache {VG}/d")
    machine.run(f"lvremove -y {VG}/d {VG}/f")
    return "writecache is never shared; cache"


def move(machine):
    machine.run(f"lvcreate -n v -l 3 {VG} {machine.disks[0]}")
    poll = subprocess.Popen(
        ["lvmpolld", "-f", "-t", "20"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        machine.run(f"pvmove -i 1 -n v {machine.disks[0]} {machine.disks[2]}")
    finally:
        poll.terminate()
        poll.wait()
    devices = machine.rows(f"lvs -o devices {VG}/v")[0]["devices"]
    expect(devices.startswith(machine.disks[2]), f"v is on {devices}")
    machine.run(f"lvremove -y {VG}/v")
    return "pvmove through LVM's own lvmpolld"


def rename(machine):
    machine.run(f"vgrename {VG} tvg")
    machine.run("vgs tvg")
    machine.run("lvchange -ay tvg/c")
    machine.run("lvchange -an tvg/c")
    machine.run(f"vgrename tvg {VG}")
    machine.run("vgchange --lockstop")
    machine.refused(f"lvchange -ay {VG}/c", "Cannot access VG")
    machine.run(f"vgchange --lockstart {VG}")
    machine.run(f"lvchange -ay {VG}/c")
    machine.refused(f"vgchange --lockstop {VG}", "LVs must first be deactivated")
    machine.run(f"lvchange -an {VG}/c")
    return "rename, stop, start"


def lock_types(machine):
    machine.run(f"vgchange -y --locktype none {VG}")
    expect(machine.rows(f"vgs -o vg_lock_type {VG}")[0]["vg_lock_type"] in ("", "none"), "not local")
    machine.run(f"lvchange -ay {VG}/c")
    machine.run(f"lvchange -an {VG}/c")
    machine.run(f"vgchange -y --locktype dlm {VG}")
    machine.run(f"vgchange --lockstart {VG}")
    machine.run(f"lvchange -ay {VG}/c")
    machine.refused(f"vgmerge {VG} tvg", "")
    return "none and dlm; vgmerge is refused by LVM"


def killed(machine):
    uuid = machine.rows(f"lvs -o lv_uuid {VG}/c")[0]["lv_uuid"]
    process = machine.daemon()
    os.kill(process, signal.SIGKILL)
    expect(machine.daemon_has_ended(process), "a killed daemon runs")
    expect(os.path.exists(SOCKET) and os.path.exists(PID_FILE), "nothing is stale")
    machine.refused(f"lvchange -aey {VG}/c", "Cannot access VG")
    machine.start_daemon()
    expect(f"LK LV ex {uuid}" in machine.run("lvmlockctl -i"), "the lock was not taken up again")
    machine.refused(f"vgchange --lockstop {VG}", "LVs must first be deactivated")
    machine.run(f"lvextend -l +1 {VG}/c")
    machine.run(f"lvchange -an {VG}/c")
    machine.run(f"vgchange --lockstop {VG}")
    machine.run(f"vgchange --lockstart {VG}")
    return "started over the stale socket; the lock of the active volume was held all the time"


def kill_and_drop(machine):
    machine.run(f"lvchange -ay {VG}/c")
    machine.run(f"/usr/sbin/lvmlockctl --stderr --kill {VG}")
    machine.refused(f"lvcreate -n x -l 1 {VG}", "storage failed")
    machine.run(f"lvmlockctl --drop {VG}")
    machine.refused(f"lvmlockctl --drop {VG}", "is not started", status=1)
    machine.run(f"lvchange -an {VG}/c")
    machine.run(f"vgchange --lockstart {VG}")
    return "kill and drop"


def rubbish(machine):
    greeting = b'request = "hello"\n\n##\n'
    for text in (b"\n##\n", b"= = =\n##\n", b'request="\xff\x00"\n##\n', b"{" * 500 + b"\n##\n",
                 b'request="lock_vg"\nvg_name ="../x"\nmode ="ex"\n##\n',
                 b'request="lock_lv"\nvg_name ="svg"\nlv_uuid ="a b"\nmode ="ex"\n##\n',
                 b'request="start_vg"\nvg_name ="' + b"v" * 60000 + b'"\n##\n',
                 b'request="vg_update"\nvg_name ="svg"\nversion =-1\n##\n'):
        client = Client()
        client.send(text)
        reply = client.reply()
        expect(reply is not None and reply.get("op_result") == "-22", f"{text[:40]}: {reply}")
        client.close()
    client = Client()
    try:
        client.send(b"x" * 200000)
        expect(client.reply() is None, "an endless message was answered")
    except (BrokenPipeError, ConnectionResetError):
        pass
    client.close()
    slow = Client()
    for byte in greeting:
        slow.send(bytes([byte]))
        time.sleep(0.02)
    expect(slow.reply().get("protocol") == "lvmlockd", "a slow client was not served")
    slow.close()
    machine.run("vgs")
    return "each answered with -22, or disconnected"


def framing(machine):
    """The recording 90, where the original is silent or merges two requests."""
    client = Client()
    for text, wanted in ((b'request="nosuch"\npid=1\n\n##\n', ["-22"]),
                         (b"garbage here\n##\n", ["-22"]),
                         (b'request="hello"\n\n##\nrequest="running_lm"\n\n##\n', [None, "2"]),
                         (b"request = 'hello' # c\n\n##\n", [None]),
                         (b'a { b = [1, "x"] }\nrequest=hello\n##\n', [None])):
        client.send(text)
        for result in wanted:
            reply = client.reply()
            expect(reply and reply.get("op_result") == result, f"{text}: {reply}")
    client.send(b'request="he')
    time.sleep(0.2)
    client.send(b'llo"\n\n##\n')
    expect(client.reply().get("version") == "1", "a request in two pieces was not served")
    client.close()
    return "unknown, senseless, joined and split requests"


def flood(machine):
    """Many clients at once; one that never reads; the machine works on."""
    deaf = Client()
    deaf.send(b'request = "hello"\n\n##\n' * 2000)
    clients = []
    try:
        for _ in range(1000):
            clients.append(Client())
        for client in clients:
            client.send(b'request = "hello"\n\n##\n')
        for client in clients:
            expect(client.reply() is not None, "a client was not served")
    finally:
        for client in clients:
            client.close()
    deaf.close()
    before = len(os.listdir(f"/proc/{machine.daemon()}/fd"))
    for _ in range(2000):
        client = Client()
        client.ask("lock_vg", vg_name=VG, mode="ex", cmd="flood")
        client.close()
    for _ in range(100):
        after = len(os.listdir(f"/proc/{machine.daemon()}/fd"))
        if after <= before:
            break
        time.sleep(0.1)
    expect(after <= before, f"{after - before} descriptors are left")
    machine.run("vgs")
    return "1000 clients at once, 2000 that vanish with a lock"


def recordings(machine):
    machine.run(f"vgchange --lockstop {VG}")
    found = replay(machine)
    machine.run(f"vgchange --lockstart {VG}")
    return found


def remove(machine):
    machine.run(f"vgremove -f -y {VG}")
    machine.run("vgcreate --shared -s 4m tvg " + " ".join(machine.disks[:2]))
    machine.run("lvcreate -n x -l 1 tvg")
    machine.refused("vgsplit tvg uvg " + machine.disks[0], "")
    process = machine.daemon()
    os.kill(process, signal.SIGTERM)
    expect(not machine.daemon_has_ended(process, seconds=2), "it ended under an active volume")
    machine.run("lvchange -an tvg/x")
    machine.run("vgremove -f -y tvg")
    os.kill(process, signal.SIGTERM)
    expect(machine.daemon_has_ended(process), "it does not end")
    expect(not os.path.exists(PID_FILE) and not os.path.exists(SOCKET), "files are left")
    _, output, error = machine.attempt("vgs")
    expect("lvmlockd process is not running" in error, f"vgs says: {error}")
    return "groups removed; SIGTERM waits for active volumes and leaves no file"


def body(machine):
    machine.make_disks()
    for title, function in (
        ("lvmlockd starts by its old name", start),
        ("A shared volume group without a cluster", create),
        ("Linear volumes", linear),
        ("lvmlockctl, LVM's and ours", info),
        ("Snapshots", snapshots),
        ("Thin volumes", thin),
        ("RAID and mirrors", raid),
        ("Caches", caches),
        ("pvmove", move),
        ("vgrename, lockstop, lockstart", rename),
        ("Lock types", lock_types),
        ("The daemon is killed under an active volume", killed),
        ("Locks are lost", kill_and_drop),
        ("Rubbish on the socket", rubbish),
        ("Requests as they come", framing),
        ("A flood of clients", flood),
        ("Recordings of LVM's commands", recordings),
        ("The end", remove),
        ("lvmlockd as LVM's test suite starts it", habits.lvmlockd),
        ("clvmd as LVM 2.02's test suite starts it", habits.clvmd),
    ):
        machine.step(title, function)


if __name__ == "__main__":
    main(body)
