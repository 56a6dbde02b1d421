#!/usr/bin/env python3
"""layering.py [--root DIR]: the rooms include and link only what stands left of them in the chain.

Checks every #include of the rooms, every library their CMakeLists.txt link, and which room's code sees which third-party
header, also through our own headers. Prints one line per violation, "FILE:LINE: what; what to do", and exits 1 on any.
An exception that nothing needs any more is a violation too.
"""
import argparse
import pathlib
import re
import sys

ROOMS = ["core", "crypto", "sync", "adapters", "daemon"]

# Inside a room: the folder (with what is below it) and the folders of the same room it may include.
# A folder that is not named here may include all of its room.
INSIDE = {
    "core": ["core"],  # core/net stands on core, never the other way
    "core/net": ["core", "core/net"],
    "adapters": ["adapters"],
    "adapters/frame": ["adapters", "adapters/mapping", "adapters/frame"],
    "adapters/mapping": ["adapters", "adapters/mapping"],
    "adapters/profiles": ["adapters", "adapters/mapping", "adapters/profiles"],
    "adapters/fields": ["adapters", "adapters/frame", "adapters/mapping", "adapters/profiles", "adapters/fields"],
}
# Folders of adapters/ that are not one protocol's.
SHARED_ADAPTER_FOLDERS = ["adapters/fields", "adapters/frame", "adapters/mapping", "adapters/profiles"]

# Third-party header (longest prefix wins) -> the folders that may see it, and why. "*": every room.
SOLE_INCLUDERS = {
    "spdlog/": (["core"], "core/log.h is the log"),
    "toml++/": (["core"], "core/config.h is the configuration"),
    "toml.hpp": (["core"], "core/config.h is the configuration"),
    "prometheus/": (["core"], "core has the metrics registry"),
    "rapidjson/": (["core"], "core/json.h keeps decimals as text"),
    "date/": (["core"], "core has time zones"),
    "expat.h": (["adapters/fields"], "adapters/fields/xml.h is XML"),
    "utf8proc.h": (["core"], "core/text.h is text"),
    "boost/beast": (["core/net"], "core/net/http.h is HTTP; Beast costs 25 s per file"),
    "boost/asio/ssl": (["core/net"], "core/net/http.h is TLS"),
    "boost/": (["*"], "Asio is the event loop of every room"),
    "mosquitto.h": (["core/net"], "core/net/mqtt_session.h is MQTT"),
    "mqtt_protocol.h": (["core/net"], "core/net/mqtt_session.h is MQTT"),
    "sqlcipher/": (["crypto"], "crypto/database.h is the database"),
    "sqlite3.h": (["crypto"], "crypto/database.h is the database"),
    "sodium": (["crypto"], "crypto/ holds all cryptography"),
    "argon2.h": (["crypto"], "crypto/ holds all cryptography"),
    "openssl/": (["crypto"], "crypto/ holds all cryptography"),
    "openssl/ssl": (["core/net"], "TLS"),
    "openssl/x509": (["core/net"], "TLS"),
    "openssl/err.h": (["core/net", "crypto"], "TLS and cryptography"),
    "openssl/pem.h": (["core/net", "crypto"], "TLS and cryptography"),
    "openssl/bio.h": (["core/net", "crypto"], "TLS and cryptography"),
    "dcmtk/": (["adapters/dicom"], "DCMTK stays behind adapters/dicom"),
    "CLI/": (["daemon"], "command lines are the daemon room's"),
    "systemd/": (["daemon"], "the service is the daemon room's"),
    "nutclient.h": (["daemon"], "the box the daemon runs on"),
    "systemd/sd-journal.h": (["core", "daemon"], "core/log.h writes the journal, the daemon room's command reads it"),
    "zlib.h": (["core", "adapters/dicom"], "a codec"),
    "sparkplug_b.pb.h": (["daemon"], "daemon/ops/sparkplug.h is Sparkplug B"),
}
LINK_OWNERS = {
    "spdlog::spdlog": ["core"],
    "tomlplusplus::tomlplusplus": ["core"],
    "date::date-tz": ["core"],
    "PkgConfig::UTF8PROC": ["core"],
    "PkgConfig::EXPAT": ["adapters"],
    "PkgConfig::MOSQUITTO": ["core/net"],
    "OpenSSL::SSL": ["core/net"],
    "gateway_boost": ["*"],
    "gateway_sqlcipher": ["crypto"],
    "PkgConfig::SQLCIPHER": ["crypto"],
    "PkgConfig::SODIUM": ["crypto"],
    "OpenSSL::Crypto": ["crypto"],
    "DCMTK::dcmnet": ["adapters"],
    "DCMTK::dcmdata": ["adapters"],
    "DCMTK::dcmimage": ["adapters"],
    "DCMTK::dcmimgle": ["adapters"],
    "DCMTK::dcmjpeg": ["adapters"],
    "DCMTK::dcmjpls": ["adapters"],
    "CLI11::CLI11": ["daemon"],
    "PkgConfig::SYSTEMD": ["core", "daemon"],
    "PkgConfig::NUTCLIENT": ["daemon"],
    "ZLIB::ZLIB": ["core", "adapters/dicom"],
    "protobuf::libprotobuf-lite": ["daemon"],
    "Threads::Threads": ["*"],
    "gateway_flags": ["*"],
}

# (file, what it includes or links) -> why it may. Stale ones fail.
EXCEPTIONS = {}

POSIX = re.compile(
    r"^((sys|netinet|arpa|linux|net)/\w+\.h|(unistd|fcntl|signal|poll|termios|pwd|grp|dirent|errno|time|pthread|sched|"
    r"spawn|syslog|dlfcn|malloc|netdb|ifaddrs|langinfo|locale|iconv|ftw|glob|limits|string|stdlib|stdio|math|getopt)\.h)$")
STANDARD = re.compile(r"^[a-z0-9_]+$")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def is_below(path, folder):
    return path == folder or path.startswith(folder + "/")


def inside_rule(folder):
    """The folders of its own room that code in `folder` may include; None: all of them."""
    best = max((f for f in INSIDE if is_below(folder, f)), key=len, default=None)
    if folder.startswith("adapters/") and best == "adapters":
        protocol = "/".join(folder.split("/")[:2])
        return ["adapters", protocol] + SHARED_ADAPTER_FOLDERS
    return INSIDE[best] if best else None


def may_include_inside(folder, included_folder):
    allowed = inside_rule(folder)
    if allowed is None:
        return True
    # "core" and "adapters" stand for their top folder only; deeper names for all below them.
    return any(included_folder == a if a in ROOMS else is_below(included_folder, a) for a in allowed)


def owners_of(header):
    """The folders that may see this third-party header; None: not in the table."""
    prefix = max((p for p in SOLE_INCLUDERS if header.startswith(p)), key=len, default=None)
    return SOLE_INCLUDERS[prefix] if prefix else None


def is_owned(folder, owners):
    return "*" in owners or any(is_below(folder, owner) for owner in owners)


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.violations = []
        self.used_exceptions = set()
        self.files = sorted(p.relative_to(self.root).as_posix() for room in ROOMS for p in (self.root / room).rglob("*")
                            if p.suffix in (".h", ".cpp"))
        self.includes = {f: self.read_includes(f) for f in self.files}

    def read_includes(self, file):
        lines = (self.root / file).read_text(encoding="utf-8").splitlines()
        return [(number, m[2], m[1] == '"') for number, line in enumerate(lines, 1) if (m := INCLUDE.match(line))]

    def report(self, file, number, what, text):
        if (file, what) in EXCEPTIONS:
            self.used_exceptions.add((file, what))
        else:
            self.violations.append(f"{file}:{number}: {text}")

    def third_party_seen(self, file, seen=None):
        """All third-party headers that including `file` brings along: {header: the file that has the #include}."""
        seen = {file} if seen is None else seen
        headers = {}
        for _, name, _ in self.includes.get(file, []):
            if name in self.includes:
                if name not in seen:
                    seen.add(name)
                    headers.update(self.third_party_seen(name, seen))
            elif owners_of(name):
                headers[name] = file
        return headers

    def check_own_include(self, file, number, name):
        folder, included = file.rpartition("/")[0], name.rpartition("/")[0]
        room, included_room = folder.split("/")[0], included.split("/")[0]
        if ROOMS.index(included_room) > ROOMS.index(room):
            self.report(file, number, name, f"{room} includes {name}, which stands right of it in the chain "
                        f"{' <- '.join(ROOMS)}; move what it needs left, or turn the call around")
        elif room == included_room and not may_include_inside(folder, included):
            self.report(file, number, name, f"{folder} includes {name}: these folders of {room} don't know each other; "
                        "they meet in a header both may include")

    def check_file(self, file):
        folder = file.rpartition("/")[0]
        for number, name, quoted in self.includes[file]:
            if name.split("/")[0] in ROOMS and "/" in name:
                self.check_own_include(file, number, name)
                for header, where in self.third_party_seen(name).items():
                    owners, why = owners_of(header)
                    if not is_owned(folder, owners):
                        self.report(file, number, header, f"sees <{header}> through {where}; only "
                                    f"{' and '.join(owners)} may ({why}): hide it behind a pimpl")
                continue
            if STANDARD.match(name) or POSIX.match(name):
                continue
            entry = owners_of(name)
            if entry is None:
                kind = "is included by its full path from the top folder, or" if quoted else "is a third-party header"
                self.report(file, number, name, f"{name} {kind} in no table; say in tests/style/layering.py who may see it")
            elif not is_owned(folder, entry[0]):
                self.report(file, number, name, f"<{name}> belongs to {' and '.join(entry[0])}: {entry[1]}")

    def check_links(self):
        calls, owner = [], {}
        for cmake in sorted(p for room in ROOMS for p in (self.root / room).rglob("CMakeLists.txt")):
            file = cmake.relative_to(self.root).as_posix()
            text = re.sub(r"#[^\n]*", "", cmake.read_text(encoding="utf-8"))
            for m in re.finditer(r"\b(gateway_room|add_library|add_executable|target_link_libraries)\s*\(([^)]*)\)", text):
                words = m[2].split()
                number = text.count("\n", 0, m.start()) + 1
                if m[1] != "target_link_libraries":
                    owner[words[0]] = file.rpartition("/")[0]
                links = words[1:] if m[1] == "target_link_libraries" else self.links_of(words)
                calls += [(file, number, word) for word in links if word not in ("PUBLIC", "PRIVATE", "INTERFACE")]
        for file, number, link in calls:
            self.check_link(file, number, link, owner)

    @staticmethod
    def links_of(words):
        links, taking = [], False
        for word in words:
            if word in ("SOURCES", "LINKS", "PUBLIC_LINKS"):
                taking = word != "SOURCES"
            elif taking:
                links.append(word)
        return links

    def check_link(self, file, number, link, owner):
        folder = file.rpartition("/")[0]
        if link in owner:
            room, linked_room = folder.split("/")[0], owner[link].split("/")[0]
            if ROOMS.index(linked_room) > ROOMS.index(room):
                self.report(file, number, link, f"{room} links {link} of {linked_room}, right of it in the chain")
            elif room == linked_room and not (may_include_inside(folder, owner[link]) or folder == room):
                self.report(file, number, link, f"{folder} links {link} of {owner[link]}; they don't know each other")
        elif link in LINK_OWNERS:
            if not is_owned(folder, LINK_OWNERS[link]):
                self.report(file, number, link, f"{link} belongs to {' and '.join(LINK_OWNERS[link])}")
        elif not link.startswith("$"):
            self.report(file, number, link, f"{link} is in no table; say in tests/style/layering.py who may link it")

    def check_tests(self):
        """tests/<room> stands where its room stands; what it takes from third parties is free."""
        for room in ROOMS:
            for path in sorted((self.root / "tests" / room).rglob("*")):
                if path.suffix not in (".h", ".cpp"):
                    continue
                file = path.relative_to(self.root).as_posix()
                for number, name, _ in self.read_includes(file):
                    included = name.split("/")[0]
                    if "/" in name and included in ROOMS and ROOMS.index(included) > ROOMS.index(room):
                        self.report(file, number, name, f"a test of {room} includes {name}, right of it in the chain")

    def check(self):
        for file in self.files:
            self.check_file(file)
        self.check_links()
        self.check_tests()
        for file, what in sorted(set(EXCEPTIONS) - self.used_exceptions):
            self.violations.append(f"tests/style/layering.py:1: the exception ({file}, {what}) is needed no more; remove it")
        return self.violations


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parents[2])
    tree = Tree(parser.parse_args().root)
    violations = tree.check()
    for violation in violations:
        print(violation)
    print(f"layering: {len(tree.files)} files, {len(violations)} violations, {len(EXCEPTIONS)} exceptions")
    return 1 if violations or not tree.files else 0


if __name__ == "__main__":
    sys.exit(main())
