"""LVM's metadata areas, as far as a client of clvmd needs them: it writes what an lvm command would.

The format is that of text metadata with one or more areas per physical volume; see pvcreate(8). A
group is given by the paths of its devices.
"""
import fcntl
import os
import re
import struct
import zlib

LABEL_SECTOR = 512
HEADER_SIZE = 512
MAGIC = b" LVM2 x[5A%r0N*>"
FLUSH_BUFFERS = 0x1261


def checksum(data):
    return zlib.crc32(data, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


class Disk:
    """Reads and writes past what the page cache may remember."""

    def __init__(self, path):
        self.path = path

    def read(self, offset, count):
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, FLUSH_BUFFERS)
            return os.pread(descriptor, count, offset)
        finally:
            os.close(descriptor)

    def write(self, offset, data):
        descriptor = os.open(self.path, os.O_RDWR)
        try:
            written = os.pwrite(descriptor, data, offset)
            assert written == len(data), f"{self.path}: only {written} bytes were written"
            os.fsync(descriptor)
            fcntl.ioctl(descriptor, FLUSH_BUFFERS)
        finally:
            os.close(descriptor)

    def areas(self):
        """Offsets and sizes of the metadata areas; none when this is no physical volume."""
        label = self.read(LABEL_SECTOR, 512)
        if label[:8] != b"LABELONE":
            return []
        position, ends = 32 + 40, 0
        found = []
        while ends < 2:
            offset, size = struct.unpack_from("<QQ", label, position)
            position += 16
            if offset == 0:
                ends += 1
            elif ends == 1:
                found.append((offset, size))
        return found


class Group:
    """The metadata of one volume group on its devices."""

    def __init__(self, paths):
        self.areas = [(disk, *area) for disk in map(Disk, paths) for area in disk.areas()]

    @staticmethod
    def _header(disk, offset):
        data = disk.read(offset, HEADER_SIZE)
        assert data[4:20] == MAGIC, f"{disk.path}: no metadata area at {offset}"
        return data

    @staticmethod
    def _write_header(disk, offset, header, slots):
        body = header[4:40] + b"".join(struct.pack("<QQII", *slot) for slot in slots)
        body = body.ljust(HEADER_SIZE - 4, b"\0")
        disk.write(offset, struct.pack("<I", checksum(body)) + body)

    def versions(self):
        """Every text that the areas still hold, the oldest first."""
        found = {}
        for disk, offset, size in self.areas:
            data = disk.read(offset, size)
            for start in range(HEADER_SIZE, size, 512):
                if not re.match(rb"[A-Za-z0-9+_.-]+ \{\n", data[start:start + 160]):
                    continue
                text = data[start:data.index(b"\0", start)].decode("ascii", "replace")
                number = re.search(r"^seqno = (\d+)$", text, re.MULTILINE)
                if number:
                    found[int(number.group(1))] = text
        return [found[number] for number in sorted(found)]

    def committed(self):
        """The text in force; nil when there is none."""
        for disk, offset, size in self.areas:
            header = self._header(disk, offset)
            start, length, _, _ = struct.unpack_from("<QQII", header, 40)
            if length:
                return disk.read(offset + start, length).rstrip(b"\0").decode()
        return None

    def precommit(self, text):
        """Writes a text that counts only after `commit`."""
        data = text.encode() + b"\0"
        for disk, offset, size in self.areas:
            header = self._header(disk, offset)
            start, length, crc, flags = struct.unpack_from("<QQII", header, 40)
            place = HEADER_SIZE if not length else (start + length + 511) // 512 * 512
            if place + len(data) > size:
                place = HEADER_SIZE
            disk.write(offset + place, data)
            slots = [(start, length, crc, flags), (place, len(data), checksum(data), 0)]
            self._write_header(disk, offset, header, slots)

    def commit(self):
        """Puts the precommitted text into force."""
        for disk, offset, size in self.areas:
            header = self._header(disk, offset)
            new = struct.unpack_from("<QQII", header, 64)
            if new[1]:
                self._write_header(disk, offset, header, [new])

    def revert(self):
        """Forgets the precommitted text."""
        for disk, offset, size in self.areas:
            header = self._header(disk, offset)
            self._write_header(disk, offset, header, [struct.unpack_from("<QQII", header, 40)])

    def replace(self, text):
        """Writes a text and puts it into force."""
        self.precommit(text)
        self.commit()


def clustered(text):
    """The text of a group that is marked for clvmd."""
    return re.sub(r'^status = \[("RESIZEABLE".*?)\]$', r'status = [\1, "CLUSTERED"]', text,
                  count=1, flags=re.MULTILINE)


def seqno(text):
    return int(re.search(r"^seqno = (\d+)$", text, re.MULTILINE).group(1))


def volume_ids(text):
    """The 64 characters by which clvmd knows a volume, by `vg/lv`."""
    name = text[:text.index(" {")]
    group = re.search(r'^id = "([^"]+)"$', text, re.MULTILINE).group(1).replace("-", "")
    volumes = text[text.find("logical_volumes {"):] if "logical_volumes {" in text else ""
    found = re.findall(r'^([A-Za-z0-9+_.-]+) \{\nid = "([^"]+)"$', volumes, re.MULTILINE)
    return {f"{name}/{volume}": group + id.replace("-", "") for volume, id in found}
