"""Headers whose names are found in any case; one name may have several lines."""

from collections.abc import MutableMapping


class Headers(MutableMapping):
    def __init__(self, headers=None, **kwargs):
        self._by_name = {}
        self.extend(headers or ())
        self.extend(kwargs)

    def __getitem__(self, name):
        lines = self._by_name[name.lower()]
        return lines[0][1] if len(lines) == 1 else [value for _, value in lines]

    def __setitem__(self, name, value):
        self.discard(name)
        self.add(name, value)

    def __delitem__(self, name):
        del self._by_name[name.lower()]

    def __iter__(self):
        return iter([lines[0][0] for lines in self._by_name.values()])

    def __len__(self):
        return len(self._by_name)

    def __contains__(self, name):
        return isinstance(name, str) and name.lower() in self._by_name

    def add(self, name, value):
        lines = self._by_name.setdefault(name.lower(), [])
        values = value if isinstance(value, (list, tuple)) else [value]
        lines += [(name, one) for one in values]

    def extend(self, headers):
        items = headers.items() if hasattr(headers, "items") else headers
        for name, value in items:
            self.add(name, value)

    def discard(self, name):
        self._by_name.pop(name.lower(), None)

    def getlist(self, name):
        return [value for _, value in self._by_name.get(name.lower(), ())]

    get_all = getlist

    def copy(self):
        return Headers(self.pairs())

    def pairs(self):
        return [line for lines in self._by_name.values() for line in lines]

    def lines(self):
        """What can be sent: a mapping whose items are lines."""
        return _Lines(self.pairs())

    def __repr__(self):
        return f"Headers({dict(self.items())})"


class _Lines:
    def __init__(self, pairs):
        self._pairs = pairs

    def items(self):
        return self._pairs
