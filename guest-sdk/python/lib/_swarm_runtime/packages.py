"""Imports that cannot work, explained by name."""

import importlib.abc
import sys

# Packages that are, or are built on, machine code. The list names what people meet; any other is
# told by the file that cannot be loaded.
NATIVE = frozenset(
    """
    numpy pandas scipy sklearn matplotlib torch tensorflow pyarrow polars numba cv2 PIL skimage
    pydantic_core cryptography nacl bcrypt argon2 psutil lxml orjson ujson msgpack simdjson
    psycopg psycopg2 asyncpg MySQLdb pymssql pyodbc cx_Oracle oracledb confluent_kafka rdkafka
    grpc grpcio zmq uvloop httptools aiohttp multidict yarl frozenlist brotli zstandard lz4 snappy
    Crypto Cryptodome regex rapidfuzz Levenshtein xxhash blake3 pycurl playwright
    ctypes _ctypes cffi _cffi_backend ssl _ssl tkinter
    """.split()
)

# What stands for something that is usually used here.
INSTEAD = {
    "websocket": "WebSocket connections are not available yet",
    "websockets": "WebSocket connections are not available yet",
    "paho": "MQTT connections are not available",
    "ssl": "TLS is the host's matter: use https URLs, and verify=False where certificates are not "
    "to be checked",
}


class Refusal(importlib.abc.MetaPathFinder):
    """Refuses packages of machine code before anything of them is found."""

    def find_spec(self, name, path=None, target=None):
        if path is None and name in NATIVE:
            raise ModuleNotFoundError(why(name), name=name)
        return None


def why(name):
    """Why a package is refused, and what to do."""
    top = name.partition(".")[0]
    hint = INSTEAD.get(top)
    if top in NATIVE and hint is None:
        hint = (
            "it is made of machine code, and scripts run in WebAssembly: leave it out, or copy "
            "the constant or the function that you need of it into your own file"
        )
    said = f"No module named {name!r}"
    return f"{said}: {hint}" if hint else said


def advice(error):
    """What to do about an import that failed, or None. Its text may say it already."""
    if not isinstance(error, ImportError):
        return None
    name = (error.name or "").partition(".")[0]
    if name in NATIVE:
        return None
    if name in INSTEAD:
        return INSTEAD[name]
    if isinstance(error, ModuleNotFoundError) and name:
        return (
            f"put the module or package {name!r} into the folder of the script; packages of "
            "machine code cannot be used"
        )
    return None


def install():
    sys.meta_path.insert(0, Refusal())
