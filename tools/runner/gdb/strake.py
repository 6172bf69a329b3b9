"""Symbols of every loaded component, at its address, for gdb.

The loader keeps a flat table of what is linked where (its module `registry`). This script finds the
table by way of the hand-over record, which lies at a fixed address, adds the debug object of each
entry at the entry's addresses, and does so again whenever the table changes: a breakpoint by name
then moves to the new code of a component that was swapped.

`strake-symbols` reads the table once more by hand, `strake-components` lists it.
"""

import os
import struct

import gdb

BUILD = os.environ.get("STRAKE_BUILD", "build")

# kernel/handover/src/layout.rs and lib.rs: where the record is, and offsets of fields in it.
HANDOVER = 0xFFFF_C300_0000_0000
HANDOVER_MAGIC = b"STRAKEHO"
STATICS_OFFSET = 128
STATIC_STORAGE = struct.Struct("<QQQII")

# components/linking/loader/src/registry.rs.
REGISTRY = struct.Struct("<8sQQQ")
REGISTRY_MAGIC = b"STRAKEDB"
ENTRY = struct.Struct("<11Q")
CHANGED = "loader::registry::changed"

SHT_RELOCATIONS = (4, 9)
SHF_WRITE, SHF_ALLOC = 1, 2


def read(address, length):
    if length == 0:
        return b""
    return bytes(gdb.selected_inferior().read_memory(address, length))


def quietly(command):
    return gdb.execute(command, to_string=True)


class Sections:
    """The loaded sections of a debug object, in order: (name, type, flags, size, alignment)."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        offset = struct.unpack_from("<Q", data, 0x28)[0]
        size, count, names = struct.unpack_from("<HHH", data, 0x3A)
        raw = [struct.unpack_from("<IIQQQQIIQQ", data, offset + size * i) for i in range(count)]
        strings = raw[names][4]
        self.list = []
        for name, kind, flags, _, _, length, _, _, align, _ in raw:
            if flags & SHF_ALLOC and length and kind not in SHT_RELOCATIONS:
                end = data.index(b"\0", strings + name)
                text = data[strings + name:end].decode()
                self.list.append((text, length, max(align, 1)))

    def addresses(self, entry):
        """Where the loader put each section: the rules of kernel/linker/src/layout.rs."""
        places = {".text": entry.text[0]}
        rodata = 0
        # Constants, unwind tables, landing pads, in this order, one behind the other.
        for wanted in (".rodata", ".eh_frame", ".gcc_except_table"):
            for name, length, align in self.list:
                if name == wanted:
                    if name == ".eh_frame":
                        align = max(align, 8)
                    rodata = (rodata + align - 1) // align * align
                    places[name] = entry.rodata[0] + rodata
                    rodata += length
        statics = iter(entry.statics)
        for name, _, _ in self.list:
            if name.startswith((".data.", ".bss.")):
                places[name] = next(statics, None)
        return {name: place for name, place in places.items() if place is not None}


class Entry:
    """One row of the registry."""

    def __init__(self, words):
        name, name_length, low, high, text, text_end, rodata, _, statics, count, retired = words
        self.name = read(name, min(name_length, 256)).decode(errors="replace")
        self.id = f"{high:016x}{low:016x}"
        self.text = (text, text_end)
        self.rodata = (rodata,)
        self.statics = struct.unpack(f"<{count}Q", read(statics, 8 * count)) if count < 65536 else ()
        self.retired = bool(retired)

    def key(self):
        return (self.id, self.text[0])


class Symbols:
    """The symbol files that gdb has been given."""

    def __init__(self):
        self.added = {}
        self.registry = None

    def find_registry(self):
        """The table is the static of the loader that begins with the magic word."""
        head = read(HANDOVER, STATICS_OFFSET + 16)
        if head[:8] != HANDOVER_MAGIC:
            raise gdb.GdbError("the system has not come far enough to have components")
        address, count = struct.unpack_from("<QQ", head, STATICS_OFFSET)
        table = read(address, count * STATIC_STORAGE.size)
        for _, place, size, _, _ in STATIC_STORAGE.iter_unpack(table):
            if size == REGISTRY.size and read(place, 8) == REGISTRY_MAGIC:
                return place
        raise gdb.GdbError("the loader has no registry")

    def entries(self):
        if self.registry is None:
            self.registry = self.find_registry()
        _, _, count, address = REGISTRY.unpack(read(self.registry, REGISTRY.size))
        table = read(address, count * ENTRY.size)
        return [Entry(words) for words in ENTRY.iter_unpack(table)]

    @staticmethod
    def debug_file(entry):
        """The file by its id: of a name there may have been several builds."""
        path = os.path.join(BUILD, "debug", "by-id", entry.id + ".o")
        return path if os.path.exists(path) else None

    def update(self):
        """Makes gdb's symbols those of the table; the number of files added and removed."""
        live = {entry.key(): entry for entry in self.entries() if not entry.retired}
        gone = [key for key in self.added if key not in live]
        fresh = [entry for key, entry in live.items() if key not in self.added]
        for key in gone:
            quietly(f"remove-symbol-file -a {self.added.pop(key):#x}")
        for entry in fresh:
            path = self.debug_file(entry)
            if path is None:
                print(f"strake: no debug object of this build of {entry.name} in {BUILD}/debug")
                continue
            places = Sections(path).addresses(entry)
            options = "".join(f" -s {n} {a:#x}" for n, a in places.items() if n != ".text")
            quietly(f"add-symbol-file {path} {entry.text[0]:#x}{options}")
            self.added[entry.key()] = entry.text[0]
        return len(fresh), len(gone)


SYMBOLS = Symbols()


class Follow(gdb.Breakpoint):
    """Stops at each change of the table, reads it, and goes on."""

    def __init__(self):
        super().__init__(CHANGED, internal=True)
        self.silent = True

    def stop(self):
        try:
            fresh, gone = SYMBOLS.update()
            if fresh or gone:
                print(f"strake: symbols of {fresh} components added, of {gone} removed")
        except gdb.error as error:
            print(f"strake: {error}")
        return False


class SymbolsCommand(gdb.Command):
    """Read the table of loaded components again."""

    def __init__(self):
        super().__init__("strake-symbols", gdb.COMMAND_FILES)
        self.follow = None

    def invoke(self, argument, from_tty):
        fresh, gone = SYMBOLS.update()
        if self.follow is None:
            self.follow = Follow()
        print(f"strake: symbols of {fresh} components added, of {gone} removed")


class ComponentsCommand(gdb.Command):
    """List the loaded components with their addresses."""

    def __init__(self):
        super().__init__("strake-components", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        for entry in SYMBOLS.entries():
            state = " (retired)" if entry.retired else ""
            print(f"{entry.text[0]:#x}-{entry.text[1]:#x} {entry.name}{state}")


SymbolsCommand()
ComponentsCommand()
