"""What every instance begins with. The snapshot is taken behind it, so its time is nobody's."""

import codecs
import gc
import sys
import warnings

# First of all, as whoever is imported later takes locks and streams.
from . import locks, output

locks.install()
output.install()

from . import clock, life, packages, rand, system, threads  # noqa: E402

threads.install()
clock.install()
rand.install()
system.install()
packages.install()

# What scripts import, and what these import when they are first used.
COMMON = """
    abc argparse ast base64 binascii bisect calendar cmath codecs collections collections.abc
    concurrent.futures configparser contextlib contextvars copy csv dataclasses datetime decimal
    difflib email email.mime.multipart email.mime.text email.message email.policy enum errno
    fnmatch fractions functools gettext glob gzip hashlib heapq hmac html html.parser http
    http.client http.cookiejar http.cookies importlib importlib.metadata importlib.resources
    inspect io ipaddress itertools json keyword linecache locale logging logging.config
    logging.handlers math mimetypes numbers operator os os.path pathlib pickle pkgutil platform
    pprint queue quopri random re reprlib secrets select selectors shlex shutil signal socket
    sqlite3 stat statistics string stringprep struct subprocess sys tempfile textwrap threading
    time timeit token tokenize traceback types typing unicodedata unittest.mock urllib
    urllib.error urllib.parse urllib.request uuid warnings weakref xml.dom.minidom
    xml.etree.ElementTree zipfile zlib zoneinfo
""".split()

OURS = """
    requests requests.adapters gevent gevent.event gevent.local gevent.lock gevent.monkey
    gevent.pool gevent.queue gevent.timeout gevent.util greenlet geventhttpclient locust
    locust.argument_parser locust.contrib.fasthttp locust.env locust.log locust.runners
    locust.stats locust.user.markov_taskset locust.util.timespan
""".split()

# Found when they are first used, by the name of a text's encoding.
ENCODINGS = (
    "utf-8 ascii latin-1 utf-8-sig utf-16 utf-32 idna punycode cp1252 unicode_escape".split()
)


def _use():
    """Takes the ways that import something on them."""
    from . import http, trace

    http.install()
    for name in ENCODINGS:
        codecs.lookup(name)
    try:
        raise ValueError("x")
    except ValueError as error:
        trace.text(error)
    try:
        compile("a b", "x.py", "exec")
    except SyntaxError as error:
        trace.text(error)


with warnings.catch_warnings():
    # requests misses a package that guesses encodings. It falls back to UTF-8.
    warnings.simplefilter("ignore")
    for name in COMMON + OURS:
        __import__(name)
_use()
life.install()

# The folder of the packages is not there later, and what was seen of it must be forgotten.
sys.path[:] = [path for path in sys.path if path != "/swarm"]
sys.path_importer_cache.clear()
sys.dont_write_bytecode = True

gc.collect()
# A collection does not look at what is in the snapshot: it would write to every page of it.
gc.freeze()
gc.set_threshold(20_000, 20, 20)
