// The module `_swarm`: what Python may do with the host. Those who call these functions are our own
// packages in `lib/`; still, a wrong argument is an exception.
#include "glue.h"

struct handlers handlers;

// A text of the host's. It is UTF-8, as the component layer has checked.
PyObject *text_from(owned from) {
  PyObject *text = PyUnicode_FromStringAndSize(from.at, (Py_ssize_t)from.length);
  if (from.length) free(from.at);
  return text;
}

PyObject *none(void) {
  Py_IncRef(Py_None);
  return Py_None;
}

typedef struct {
  const char *at;
  Py_ssize_t length;
  PyObject *encoded;
} text;

// What the host takes is UTF-8. A text with half a surrogate pair is none, and must not end the
// instance: its halves become question marks.
static int text_of(PyObject *object, text *to) {
  to->encoded = NULL;
  to->at = PyUnicode_AsUTF8AndSize(object, &to->length);
  if (to->at) return 0;
  PyErr_Clear();
  to->encoded = PyUnicode_AsEncodedString(object, "utf-8", "replace");
  if (!to->encoded) return -1;
  return PyBytes_AsStringAndSize(to->encoded, (char **)&to->at, &to->length);
}

static void end_text(text *of) {
  if (of->encoded) Py_DecRef(of->encoded);
}

static int exactly(Py_ssize_t count, Py_ssize_t wanted) {
  if (count == wanted) return 1;
  PyErr_Format(PyExc_TypeError, "%zd arguments, not %zd", count, wanted);
  return 0;
}

// fetch(client, method, url, name, common, further, body, timeout, manner): an Answer, or a tuple
// of kind, message and time of a failure.
static PyObject *fetch(PyObject *self, PyObject *const *given, Py_ssize_t count) {
  if (!exactly(count, 9)) return NULL;
  handle client = client_of(given[0]), common = lines_of(given[4]);
  if (client < 0 || common < 0) return NULL;
  Py_ssize_t method_length, url_length, name_length = 0, further_length, body_length;
  const char *method = PyUnicode_AsUTF8AndSize(given[1], &method_length), *name = NULL;
  const char *url = method ? PyUnicode_AsUTF8AndSize(given[2], &url_length) : NULL;
  if (!url) return NULL;
  text named = {0};
  if (given[3] != Py_None) {
    if (text_of(given[3], &named)) return NULL;
    name = named.at;
    name_length = named.length;
  }
  char *further, *body;
  long timeout = PyLong_AsLong(given[7]), manner = PyLong_AsLong(given[8]);
  if (PyBytes_AsStringAndSize(given[5], &further, &further_length) ||
      PyBytes_AsStringAndSize(given[6], &body, &body_length) || PyErr_Occurred()) {
    end_text(&named);
    return NULL;
  }
  struct fetched fetched;
  WAITING(host_fetch(client, method, method_length, url, url_length, name != NULL, name,
      name_length, common, further, further_length, body, body_length, timeout, manner, &fetched));
  end_text(&named);
  if (!fetched.failed) return new_answer(&fetched.received);
  PyObject *message = text_from(fetched.failure.message);
  return Py_BuildValue("(iNd)", fetched.failure.kind, message, fetched.failure.elapsed);
}

// pause(event, seconds): waits for the event (0 is none), at most so long (None is for ever). What
// ended it: 0 the time, 1 the event, 2 the user's time.
static PyObject *pause(PyObject *self, PyObject *const *given, Py_ssize_t count) {
  if (!exactly(count, 2)) return NULL;
  unsigned long event = PyLong_AsUnsignedLong(given[0]);
  int limited = given[1] != Py_None;
  double ms = limited ? PyFloat_AsDouble(given[1]) * 1000 : 0;
  if (PyErr_Occurred()) return NULL;
  handle client = current ? current->number : -1;
  int end;
  WAITING(end = host_until(client >= 0, client, event, limited, ms));
  return PyLong_FromLong(end);
}

static PyObject *wake(PyObject *self, PyObject *event) {
  unsigned long number = PyLong_AsUnsignedLong(event);
  if (PyErr_Occurred()) return NULL;
  host_wake(number);
  return none();
}

static PyObject *branch(PyObject *self, PyObject *number) {
  unsigned long value = PyLong_AsUnsignedLong(number);
  if (PyErr_Occurred()) return NULL;
  host_branch(value);
  return none();
}

static PyObject *open(PyObject *self, PyObject *unused) {
  struct opened opened;
  host_open(&opened);
  return opened.some ? new_client(opened.client) : none();
}

// lines(bytes): checked header lines. ValueError if they cannot be sent.
static PyObject *lines(PyObject *self, PyObject *bytes) {
  char *at;
  Py_ssize_t length;
  if (PyBytes_AsStringAndSize(bytes, &at, &length)) return NULL;
  struct made made;
  host_make_lines(at, length, &made);
  if (!made.failed) return new_lines(made.lines);
  PyObject *message = text_from(made.message);
  if (message) PyErr_Format(PyExc_ValueError, "%U", message);
  Py_DecRef(message);
  return NULL;
}

// sample(kind, name, elapsed, length, error, unanswered): error is a text or None. There is one
// where no answer came.
static PyObject *sample(PyObject *self, PyObject *const *given, Py_ssize_t count) {
  if (!exactly(count, 6)) return NULL;
  text kind = {0}, name = {0}, error = {0};
  double elapsed = PyFloat_AsDouble(given[2]);
  unsigned long length = PyLong_AsUnsignedLong(given[3]);
  int failed = given[4] != Py_None, unanswered = failed && given[5] == Py_True;
  if (!PyErr_Occurred() && !text_of(given[0], &kind) && !text_of(given[1], &name) &&
      (!failed || !text_of(given[4], &error))) {
    if (unanswered) {
      host_unanswered(kind.at, kind.length, name.at, name.length, elapsed, error.at, error.length);
    } else {
      host_sample(kind.at, kind.length, name.at, name.length, elapsed, length, failed, error.at,
          error.length);
    }
  }
  end_text(&kind);
  end_text(&name);
  end_text(&error);
  return PyErr_Occurred() ? NULL : none();
}

static PyObject *exception(PyObject *self, PyObject *const *given, Py_ssize_t count) {
  if (!exactly(count, 2)) return NULL;
  text message = {0}, trace = {0};
  if (!text_of(given[0], &message) && !text_of(given[1], &trace)) {
    host_exception(message.at, message.length, trace.at, trace.length);
  }
  end_text(&message);
  end_text(&trace);
  return PyErr_Occurred() ? NULL : none();
}

// log(level, message): 0 is debug, 3 is error.
static PyObject *log_line(PyObject *self, PyObject *const *given, Py_ssize_t count) {
  if (!exactly(count, 2)) return NULL;
  long level = PyLong_AsLong(given[0]);
  if (PyErr_Occurred()) return NULL;
  text message;
  if (text_of(given[1], &message)) return NULL;
  host_log(level < 0 ? 0 : level > 3 ? 3 : (int)level, message.at, message.length);
  end_text(&message);
  return none();
}

static PyObject *finish(PyObject *self, PyObject *reason) {
  text why;
  if (text_of(reason, &why)) return NULL;
  host_finish(why.at, why.length);
  end_text(&why);
  return none();
}

static PyObject *begun(PyObject *self, PyObject *unused) { return PyBool_FromLong(host_begun()); }

static PyObject *host(PyObject *self, PyObject *unused) {
  struct some_text host;
  host_host(&host);
  return host.some ? text_from(host.text) : none();
}

static PyObject *texts_from(struct list list) {
  PyObject *texts = PyList_New((Py_ssize_t)list.length);
  owned *items = list.at;
  for (uint32_t i = 0; texts && i < list.length; i++) {
    PyObject *text = text_from(items[i]);
    if (!text || PyList_SetItem(texts, (Py_ssize_t)i, text)) return NULL;
  }
  if (list.length) free(list.at);
  return texts;
}

static PyObject *tags(PyObject *self, PyObject *unused) {
  struct list list;
  host_tags(&list);
  return texts_from(list);
}

static PyObject *exclude_tags(PyObject *self, PyObject *unused) {
  struct list list;
  host_exclude_tags(&list);
  return texts_from(list);
}

// args(): names and values in turn.
static PyObject *args(PyObject *self, PyObject *unused) {
  struct list list;
  host_args(&list);
  list.length *= 2;
  return texts_from(list);
}

static PyObject *stop_timeout(PyObject *self, PyObject *unused) {
  return PyFloat_FromDouble(host_stop_timeout());
}

// environ(): `NAME=VALUE` of each variable.
static PyObject *get_environ(PyObject *self, PyObject *unused) {
  uint32_t count = 0, bytes = 0;
  if (environ_sizes_get(&count, &bytes)) count = 0;
  char **lines = malloc((count + 1) * sizeof *lines), *memory = malloc(bytes + 1);
  if (!lines || !memory) return PyErr_NoMemory();
  if (count && environ_get(lines, memory)) count = 0;
  PyObject *texts = PyList_New((Py_ssize_t)count);
  for (uint32_t i = 0; texts && i < count; i++) {
    PyObject *text = PyUnicode_DecodeUTF8(lines[i], (Py_ssize_t)strlen(lines[i]), "replace");
    if (!text || PyList_SetItem(texts, (Py_ssize_t)i, text)) return NULL;
  }
  free(lines);
  free(memory);
  return texts;
}

// Randomness of whoever has the turn. A script that seeds `random` itself has one sequence for all,
// as in Locust: then these two functions of a generator of CPython's answer.
static PyObject *shared_random, *shared_getrandbits;
static uint64_t fallback;

static uint64_t next_random(void) {
  uint64_t *state = current ? &current->random : &fallback;
  uint64_t value = *state += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

static PyObject *random_float(PyObject *self, PyObject *unused) {
  if (shared_random) return PyObject_CallNoArgs(shared_random);
  return PyFloat_FromDouble((double)(next_random() >> 11) * 0x1p-53);
}

static PyObject *random_bits(PyObject *self, PyObject *count) {
  if (shared_getrandbits) return PyObject_CallOneArg(shared_getrandbits, count);
  long bits = PyLong_AsLong(count);
  if (bits < 0) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "number of bits must be non-negative");
    return NULL;
  }
  if (bits <= 32)
    return PyLong_FromUnsignedLong(bits ? (unsigned long)(next_random() >> (64 - bits)) : 0);
  if (bits <= 64) return PyLong_FromUnsignedLongLong(next_random() >> (64 - bits));
  PyObject *rest = PyLong_FromLong(bits - 64), *high = rest ? random_bits(self, rest) : NULL;
  PyObject *low = PyLong_FromUnsignedLongLong(next_random()), *by = PyLong_FromLong(64);
  PyObject *shifted = high && by ? PyNumber_Lshift(high, by) : NULL;
  PyObject *all = shifted && low ? PyNumber_Or(shifted, low) : NULL;
  Py_DecRef(rest), Py_DecRef(high), Py_DecRef(low), Py_DecRef(by), Py_DecRef(shifted);
  return all;
}

// choice(list): one of it. It draws as `random.choice` does, so a known sequence gives the same.
static PyObject *choice(PyObject *self, PyObject *list) {
  Py_ssize_t length = PyList_Size(list);
  if (length <= 0) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "there is nothing to choose from");
    return NULL;
  }
  int bits = 64 - __builtin_clzll((unsigned long long)length);
  unsigned long long index;
  do {
    if (shared_getrandbits) {
      PyObject *count = PyLong_FromLong(bits),
               *drawn = count ? PyObject_CallOneArg(shared_getrandbits, count) : NULL;
      Py_DecRef(count);
      if (!drawn) return NULL;
      index = PyLong_AsUnsignedLongLongMask(drawn);
      Py_DecRef(drawn);
    } else {
      index = next_random() >> (64 - bits);
    }
  } while (index >= (unsigned long long)length);
  PyObject *chosen = PyList_GetItem(list, (Py_ssize_t)index);
  if (chosen) Py_IncRef(chosen);
  return chosen;
}

// share_random(random, getrandbits), or share_random(None, None).
static PyObject *share_random(PyObject *self, PyObject *const *given, Py_ssize_t count) {
  if (!exactly(count, 2)) return NULL;
  PyObject *was[] = {shared_random, shared_getrandbits};
  int shared = given[0] != Py_None;
  shared_random = shared ? given[0] : NULL;
  shared_getrandbits = shared ? given[1] : NULL;
  for (int i = 0; i < 2; i++) {
    if (shared) Py_IncRef(given[i]);
    Py_DecRef(was[i]);
  }
  return none();
}

// seed(number): of what belongs to nobody.
static PyObject *seed(PyObject *self, PyObject *number) {
  fallback = PyLong_AsUnsignedLongLongMask(number);
  return PyErr_Occurred() ? NULL : none();
}

static PyObject *get_seat(PyObject *self, PyObject *unused) {
  if (!current) return none();
  Py_IncRef(&current->head);
  return &current->head;
}

// sit(seat): the call sits there until it ends or sits elsewhere. None is nobody's.
static PyObject *sit(PyObject *self, PyObject *where) {
  current = where == Py_None ? NULL : (seat *)where;
  return none();
}

// is_plain(path): does it go out as it is, whatever requests does to it? A path from its root, and
// perhaps a query, of characters that stay, without dot segments and percent signs.
static PyObject *is_plain(PyObject *self, PyObject *path) {
  Py_ssize_t length;
  const char *at = PyUnicode_AsUTF8AndSize(path, &length);
  if (!at) {
    PyErr_Clear();
    return PyBool_FromLong(0);
  }
  static const char others[] = "-._~!$&'()*+,;=:@/";
  int plain = length > 0 && at[0] == '/', query = 0;
  for (Py_ssize_t i = 0; plain && i < length; i++) {
    char c = at[i];
    int known = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    for (const char *other = others; !known && *other; other++) known = c == *other;
    if (c == '?') known = 1, query = 1;
    // `//` at the begin would be a host, and dots may be segments.
    plain = known && !(c == '.' && !query && at[i - 1] == '/') && !(i == 1 && c == '/');
  }
  return PyBool_FromLong(plain);
}

// connect(load, describe, start, run, stop, end, branch, trace): what the exports call.
static PyObject *connect(PyObject *self, PyObject *const *given, Py_ssize_t count) {
  PyObject **to[] = {&handlers.load, &handlers.describe, &handlers.start, &handlers.run,
      &handlers.stop, &handlers.end, &handlers.branch, &handlers.trace};
  if (!exactly(count, sizeof to / sizeof *to)) return NULL;
  for (Py_ssize_t i = 0; i < count; i++) {
    Py_IncRef(given[i]);
    *to[i] = given[i];
  }
  return none();
}

static PyMethodDef functions[] = {
    {"fetch", fetch, METH_FASTCALL, 0},
    {"pause", pause, METH_FASTCALL, 0},
    {"wake", wake, METH_O, 0},
    {"branch", branch, METH_O, 0},
    {"open", open, METH_NOARGS, 0},
    {"lines", lines, METH_O, 0},
    {"sample", sample, METH_FASTCALL, 0},
    {"exception", exception, METH_FASTCALL, 0},
    {"log", log_line, METH_FASTCALL, 0},
    {"finish", finish, METH_O, 0},
    {"begun", begun, METH_NOARGS, 0},
    {"host", host, METH_NOARGS, 0},
    {"tags", tags, METH_NOARGS, 0},
    {"exclude_tags", exclude_tags, METH_NOARGS, 0},
    {"args", args, METH_NOARGS, 0},
    {"stop_timeout", stop_timeout, METH_NOARGS, 0},
    {"random", random_float, METH_NOARGS, 0},
    {"getrandbits", random_bits, METH_O, 0},
    {"environ", get_environ, METH_NOARGS, 0},
    {"choice", choice, METH_O, 0},
    {"share_random", share_random, METH_FASTCALL, 0},
    {"seed", seed, METH_O, 0},
    {"seat", get_seat, METH_NOARGS, 0},
    {"sit", sit, METH_O, 0},
    {"is_plain", is_plain, METH_O, 0},
    {"connect", connect, METH_FASTCALL, 0},
};

int add_functions(PyObject *module) {
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    PyObject *function = PyCMethod_New(&functions[i], NULL, NULL, NULL);
    if (!function || PyDict_SetItemString(module, functions[i].name, function)) return -1;
    Py_DecRef(function);
  }
  return 0;
}
