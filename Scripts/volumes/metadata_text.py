"""LVM's metadata areas and its configuration text, as the random volumes need them."""
import difflib
import re


class Text:
    """LVM's configuration text as dictionaries and lists."""

    TOKEN = re.compile(r'\s*(?:#[^\n]*\n\s*)*("(?:\\.|[^"\\])*"|[\[\]{}=,]|[^\s\[\]{}=,#"]+)')

    def __init__(self, text):
        self.tokens = self.TOKEN.findall(text.split("\n# Generated")[0])
        self.index = 0

    def section(self):
        result = {}
        while self.index < len(self.tokens) and self.tokens[self.index] != "}":
            name = self.tokens[self.index]
            sign = self.tokens[self.index + 1]
            self.index += 2
            if sign == "{":
                result[name] = self.section()
                self.index += 1
            else:
                result[name] = self.value()
        return result

    def value(self):
        token = self.tokens[self.index]
        self.index += 1
        if token != "[":
            return self.scalar(token)
        values = []
        while self.tokens[self.index] != "]":
            if self.tokens[self.index] != ",":
                values.append(self.scalar(self.tokens[self.index]))
            self.index += 1
        self.index += 1
        return values

    @staticmethod
    def scalar(token):
        if token.startswith('"'):
            return token[1:-1]
        try:
            return int(token)
        except ValueError:
            return token


def metadata_texts(path):
    """The committed texts of a disk, by the first area in use."""
    with open(path, "rb") as disk:
        head = disk.read(4096)
        if head[512:520] != b"LABELONE":
            return None
        position, areas = 512 + 72, []
        while head[position:position + 8] != bytes(8):
            position += 16
        position += 16
        while head[position:position + 8] != bytes(8):
            areas.append(int.from_bytes(head[position:position + 8], "little"))
            position += 16
        for start in areas:
            disk.seek(start)
            header = disk.read(512)
            size = int.from_bytes(header[32:40], "little")
            offset = int.from_bytes(header[40:48], "little")
            length = int.from_bytes(header[48:56], "little")
            flags = int.from_bytes(header[60:64], "little")
            if not offset or flags & 1:
                continue
            disk.seek(start + offset)
            text = disk.read(min(length, size - offset))
            if len(text) < length:
                disk.seek(start + 512)
                text += disk.read(length - len(text))
            return text.rstrip(b"\0").decode()
    return ""


def comparable(text):
    """Lines of a text without what differs from run to run."""
    if not text:
        return []
    text = re.sub(r"message\d+ {\n[^}]*}\n", "", text.split("\n# Generated")[0])
    lines = [
        line for line in text.split("\n")
        if not re.match(r"(id = |creation_|device = |seqno = |#|contents|version|description)", line)
    ]
    return [line for line in lines if line.strip()]


def difference(left, right):
    result = []
    for a, b in zip(list(left) or [()], list(right) or [()]):
        result += [
            line for line in difflib.unified_diff(a, b, "LVM", "clvm", lineterm="", n=4)
        ]
    if len(left) != len(right):
        result.append(f"{len(left)} texts, clvm {len(right)}")
    return "\n".join(result)


def layout(texts):
    """A group in a few lines: what a difference can be understood from."""
    lines = []
    for text in texts:
        group = list(Text("\n".join(text)).section().items())
        if not group:
            continue
        name, group = group[0]
        if not isinstance(group, dict):
            continue
        lines.append(f"{name} extent {group['extent_size']} {group.get('allocation_policy', '')} pvs "
                     + " ".join(f"{pv}:{v['pe_count']}{v.get('tags', '')}{'' if v['status'] else 'x'}"
                                for pv, v in group["physical_volumes"].items()))
        for lv, volume in group.get("logical_volumes", {}).items():
            for key, segment in volume.items():
                if isinstance(segment, dict):
                    lines.append(f"  {lv} {' '.join(volume['status'])}: {segment}")
    return "\n".join(lines)
