"""Random volume groups made by LVM in a guest; clvm on the same metadata.

For each SEED:STEPS:MODE in /lab/types a group is made of some of the disks, then commands are
drawn. Those that clvm has too run twice: LVM's on the disks, clvm's on a copy of them, both with
everything inactive; exit status, metadata (but ids and times) and error messages must be the same.
After each command LVM activates what there is, and the tables that clvm plans must be those that
LVM has loaded (its log) and the kernel has. Differences go to /lab/steps.tsv and
/lab/differences.log, commands to /lab/commands.log.
"""

import os
import sys
import time
import traceback

from random_lab import LETTERS, Lab
from random_script import Script


def try_seed(lab, steps, mode):
    lab.disks = [f"/dev/ubd{letter}" for letter in LETTERS[: lab.number(3, 6)]]
    sizes = {disk: lab.number(40, 150) for disk in lab.disks}
    for disk in lab.disks:
        extra = lab.optional(20, "--pvmetadatacopies 2") + lab.optional(20, "--dataalignment 256k")
        lab.run(f"lvm pvcreate -ff -y --setphysicalvolumesize {sizes[disk]}m{extra} {disk}")
    extent = lab.pick("1m", "1m", "512k", "2m", "4m")
    created = lab.both(
        f"vgcreate -s {extent}{lab.optional(20, '--alloc cling', '--alloc anywhere')} vg "
        + " ".join(lab.disks)
    )
    if created.returncode != 0:
        lab.differ("vgcreate", created.stderr)
        return
    script = Script(lab)
    shared = script.SHARED
    if mode == "conversions":
        shared, mode = shared | script.CONVERSIONS, "commands"
    for index in range(steps):
        if mode != "tables" and (mode == "commands" or lab.chance(60)):
            lab.both(script.draw(shared)[0])
            if mode == "commands":
                continue
        else:
            commands = script.draw(shared if lab.chance(45) else script.LVMS)
            for command in commands:
                status = lab.theirs(command).returncode
                if status != 0:
                    break
            if status != 0:
                continue
            if "pvmove" in commands[0]:
                lab.compare_plans(f"{commands}", options="--merging")
                lab.run("pvmove --abort")
                lab.run("vgchange -an vg")
                continue
        lab.compare_plans(f"{commands if mode == 'tables' else 'step'}", options="--merging")
        if index % 6 == 5:
            lab.compare_reports("reports")
        lab.run("vgchange -an vg")
    if mode != "commands":
        lab.run("vgchange -ay -K vg")
        lab.compare_reports("last reports")
        hidden = lab.pick(*lab.disks)
        lab.run("vgchange -an vg")
        for activation in ("partial", "degraded"):
            lab.compare_partial(hidden, activation)


def clean_up(lab):
    lab.run("vgchange -an vg")
    for _ in range(4):
        if (
            not lab.run("dmsetup info -c --noheadings -o name")
            .stdout.strip("\n")
            .replace("No devices found", "")
        ):
            break
        lab.run("dmsetup remove_all --force")
    for disk in [f"/dev/ubd{letter}" for letter in LETTERS]:
        with open(disk, "r+b") as device:
            size = device.seek(0, 2)
            device.seek(0)
            device.write(bytes(2 << 20))
            device.seek(size - (2 << 20))
            device.write(bytes(2 << 20))
    lab.run("rm -rf /dev/vg /etc/lvm/archive /etc/lvm/backup")


def main():
    commands_log = open("/lab/commands.log", "a", buffering=1)
    differences_log = open("/lab/differences.log", "a", buffering=1)
    os.environ["PATH"] = "/lab/bin:" + os.environ["PATH"]
    for line in open("/lab/types").read().splitlines():
        seed, steps, mode = line.split(":")
        started = time.monotonic()
        lab = Lab(int(seed), commands_log, differences_log)
        try:
            try_seed(lab, int(steps), mode)
            result = "ok" if lab.differences == 0 else "FAILED"
            finding = f"{lab.commands} commands, {lab.plans} plans, {lab.differences} differences"
        except Exception as error:
            differences_log.write(traceback.format_exc())
            result, finding = "FAILED", repr(error)
        clean_up(lab)
        milliseconds = int((time.monotonic() - started) * 1000)
        with open("/lab/steps.tsv", "a") as steps_file:
            steps_file.write(f"{result}\t{milliseconds}\tseed {line}\t{finding}\n")
    open("/lab/finished", "w").close()


if __name__ == "__main__":
    sys.exit(main())
