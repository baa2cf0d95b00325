"""Who may ask: internal keys derived from one secret, and users' keys read from a mounted Secret.

Standard library only, because the operator imports it too."""

import hashlib
import hmac
import logging
import re
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

INTERNAL_KEY_BYTES = 32
GENERATIONS = 2
"""Keys of one client that are valid at the same time, so that a client can rotate without an outage."""
_ROBOTS = re.compile(r"[\W_]*robots?[\"'\s]*[:=\[]", re.IGNORECASE)
"""Whatever looks like a line about robots: taken for a key it would bind nobody."""
_ROBOTS_LINE = re.compile(r"robots:\s*\[(?P<names>[^\[\]]+)\]")
_ROBOT = re.compile(r"[A-Za-z0-9._*-]{1,63}")
_HASHED = re.compile(r"sha256:([0-9a-f]{64})")


def derive(secret: bytes, purpose: str, namespace: str, model: str) -> str:
    """The internal key of one model for one purpose: hex of HMAC-SHA256(secret, "purpose/namespace/model")."""
    return hmac.new(secret, f"{purpose}/{namespace}/{model}".encode(), hashlib.sha256).hexdigest()


def bearer_key(header: str) -> str:
    """The key of an Authorization header; empty where it holds none.

    Args:
        header: its bytes as latin-1, as servers read it. A key beyond ASCII is UTF-8 on the wire, as in its Secret.
    """
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "bearer":
        return ""
    try:
        # Only HTTP's own white space: as latin-1, the last byte of a letter in UTF-8 can look like some.
        return given.strip(" \t").encode("latin-1").decode()
    except UnicodeError:
        return ""


def parse_entry(text: str) -> tuple[bytes, ...]:
    """SHA-256 digests of the keys in one entry: a key per line, in plain text or as `sha256:<64 hex digits>`. The line
    with robots' names, see `parse_robots`, is no key.

    Raises:
        ValueError: no key, more than two, or a malformed hash; the message never contains a key.
    """
    lines = [line.strip() for line in text.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#") and not _ROBOTS.match(line)]
    if not 1 <= len(keys) <= GENERATIONS:
        raise ValueError(f"holds {len(keys)} keys; one line per key, one or {GENERATIONS} of them")
    digests = []
    for number, key in enumerate(keys, start=1):
        hashed = _HASHED.fullmatch(key)
        if key.startswith("sha256:") and not hashed:
            raise ValueError(f"key {number}: after sha256: come 64 lower-case hex digits")
        digests.append(bytes.fromhex(hashed[1]) if hashed else hashlib.sha256(key.encode()).digest())
    return tuple(digests)


def parse_robots(text: str) -> tuple[str, ...] | None:
    """The robots that an entry's keys are for, from its line `robots: [go2-*, spot-1]`; None: it has none.

    Raises:
        ValueError: such a line cannot be read, or there are two. It must not be taken for a key, nor left out.
    """
    lines = [line for line in map(str.strip, text.splitlines()) if _ROBOTS.match(line)]
    if not lines:
        return None
    found = _ROBOTS_LINE.fullmatch(lines[0])
    names = [name.strip().strip("'\"") for name in found["names"].split(",")] if found else []
    if len(lines) > 1 or not names or not all(map(_ROBOT.fullmatch, names)):
        raise ValueError("the robots of a key are one line, as in robots: [go2-*, spot-1]")
    return tuple(names)


@dataclass
class KeyRing:
    """The clients of a directory of keys: file name = client's name, content as `parse_entry`.

    Kubernetes swaps a mounted Secret's directory atomically; `reload` is cheap when nothing changed.

    Attributes:
        prefix: only files that begin with it are clients, named by what follows. Others are not even read: they are
            somebody else's keys.
    """

    directory: Path
    prefix: str = ""
    _clients: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    _robots: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    _seen: dict[str, bytes] = field(default_factory=dict)

    def reload(self) -> bool:
        """Read the directory again; True when the set of keys changed. A bad entry is named in the log and left out.

        Raises:
            OSError: the directory cannot be read; the keys read before stay valid.
        """
        found = {
            path.name.removeprefix(self.prefix): path.read_bytes()
            for path in sorted(self.directory.iterdir())
            if self._is_entry(path)
        }
        if found == self._seen:
            return False
        clients: dict[str, tuple[bytes, ...]] = {}
        robots = {}
        for name, content in found.items():
            try:
                robots[name] = parse_robots(content.decode())
                clients[name] = parse_entry(content.decode())
            except (ValueError, UnicodeDecodeError) as error:
                reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
                log.warning("key entry %r is ignored: %s", self.prefix + name, reason)
        self._seen, self._clients, self._robots = found, clients, robots
        return True

    def _is_entry(self, path: Path) -> bool:
        # The prefix alone names nobody.
        ours = path.name.startswith(self.prefix) and path.name != self.prefix
        return ours and not path.name.startswith(".") and path.is_file()

    @property
    def clients(self) -> tuple[str, ...]:
        """Names of the clients with at least one valid key."""
        return tuple(self._clients)

    def robots(self, client: str) -> tuple[str, ...] | None:
        """The robots that a client's keys are for; None: every one."""
        return self._robots.get(client)

    def client(self, key: str) -> str | None:
        """Name of the client that this key belongs to. Every stored key is compared, each in constant time."""
        digest = hashlib.sha256(key.encode()).digest()
        found = None
        for name, digests in self._clients.items():
            for known in digests:
                if hmac.compare_digest(known, digest):
                    found = name
        return found
