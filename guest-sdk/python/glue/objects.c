// Objects that stand for something of the host's, and seats.
#include "glue.h"

seat *current;

typedef struct {
  PyObject head;
  handle number;
} holder;

typedef struct {
  PyObject head;
  handle number;
  uint16_t status;
  char recorded, sets_cookies, stopping;
  uint32_t length;
  double elapsed, head_elapsed;
} answer;

static PyObject *seat_type, *client_type, *lines_type, *answer_type;

// What every type does at the end of an object. Types on the heap are counted by their objects.
static void release(PyObject *object) {
  PyObject *type = object->type;
  PyObject_Free(object);
  Py_DecRef(type);
}

static void client_dealloc(holder *object) {
  host_drop_client(object->number);
  release(&object->head);
}

static void lines_dealloc(holder *object) {
  host_drop_lines(object->number);
  release(&object->head);
}

static void answer_dealloc(answer *object) {
  host_drop_answer(object->number);
  release(&object->head);
}

static void seat_dealloc(seat *object) {
  Py_DecRef(object->client);
  Py_DecRef(object->who);
  Py_DecRef(object->context);
  release(&object->head);
}

static PyObject *new_holder(PyObject *type, handle number) {
  holder *new = (holder *)PyType_GenericAlloc(type, 0);
  if (new) new->number = number;
  return (PyObject *)new;
}

PyObject *new_client(handle number) {
  PyObject *new = new_holder(client_type, number);
  if (!new) host_drop_client(number);
  return new;
}

PyObject *new_lines(handle number) {
  PyObject *new = new_holder(lines_type, number);
  if (!new) host_drop_lines(number);
  return new;
}

PyObject *new_answer(const struct received *received) {
  answer *new = (answer *)PyType_GenericAlloc(answer_type, 0);
  if (!new) {
    host_drop_answer(received->answer);
    return NULL;
  }
  new->number = received->answer;
  new->status = received->status;
  new->recorded = received->recorded;
  new->sets_cookies = received->sets_cookies;
  new->stopping = received->stopping;
  new->length = (uint32_t)received->length;
  new->elapsed = received->elapsed;
  new->head_elapsed = received->head_elapsed;
  return &new->head;
}

static handle number_of(PyObject *object, PyObject *type, const char *what) {
  if (object->type == type) return ((holder *)object)->number;
  PyErr_Format(PyExc_TypeError, "this is not %s", what);
  return -1;
}

handle client_of(PyObject *object) { return number_of(object, client_type, "a client"); }
handle lines_of(PyObject *object) { return number_of(object, lines_type, "header lines"); }

// A list of bytes or a text of the host's, as `bytes`.
static PyObject *bytes_from(owned from) {
  PyObject *bytes = PyBytes_FromStringAndSize(from.at, (Py_ssize_t)from.length);
  if (from.length) free(from.at);
  return bytes;
}

static PyObject *answer_body(answer *self, PyObject *unused) {
  owned body;
  host_body(self->number, &body);
  return bytes_from(body);
}

static PyObject *answer_lines(answer *self, PyObject *unused) {
  owned lines;
  host_answer_lines(self->number, &lines);
  return bytes_from(lines);
}

static PyObject *answer_reason(answer *self, PyObject *unused) {
  owned reason;
  host_reason(self->number, &reason);
  return text_from(reason);
}

// The generator behind a user's `random`: SplitMix64, 8 bytes for each user where CPython's own
// takes 2,500.
seat *new_seat(uint64_t seed, uint32_t user, PyObject *client) {
  seat *new = (seat *)PyType_GenericAlloc(seat_type, 0);
  if (!new) {
    Py_DecRef(client);
    return NULL;
  }
  new->random = seed;
  new->user = user;
  new->number = client ? ((holder *)client)->number : -1;
  new->client = client ? client : none();
  new->who = none();
  new->context = PyContext_New();
  if (new->context) return new;
  Py_DecRef(&new->head);
  return NULL;
}

// Seat(seed): of what is no user.
static PyObject *seat_new(PyObject *type, PyObject *arguments, PyObject *names) {
  PyObject *seed;
  if (!PyArg_ParseTuple(arguments, "O", &seed)) return NULL;
  uint64_t value = PyLong_AsUnsignedLongLongMask(seed);
  if (PyErr_Occurred()) return NULL;
  return (PyObject *)new_seat(value, UINT32_MAX, NULL);
}

static PyMethodDef answer_methods[] = {
    {"body", answer_body, METH_NOARGS, "The decoded body."},
    {"lines", answer_lines, METH_NOARGS, "The header lines."},
    {"reason", answer_reason, METH_NOARGS, "The phrase beside the status."},
    {0},
};
static PyMemberDef answer_members[] = {
    {"status", Py_T_USHORT, offsetof(answer, status), Py_READONLY, 0},
    {"recorded", Py_T_BOOL, offsetof(answer, recorded), Py_READONLY, 0},
    {"sets_cookies", Py_T_BOOL, offsetof(answer, sets_cookies), Py_READONLY, 0},
    {"stopping", Py_T_BOOL, offsetof(answer, stopping), Py_READONLY, 0},
    {"length", Py_T_UINT, offsetof(answer, length), Py_READONLY, 0},
    {"elapsed", Py_T_DOUBLE, offsetof(answer, elapsed), Py_READONLY, "Milliseconds."},
    {"head_elapsed", Py_T_DOUBLE, offsetof(answer, head_elapsed), Py_READONLY, "Milliseconds."},
    {0},
};
static PyMemberDef seat_members[] = {
    {"client", Py_T_OBJECT_EX, offsetof(seat, client), Py_READONLY, "The user's."},
    {"who", Py_T_OBJECT_EX, offsetof(seat, who), 0, "Whose seat it is."},
    {"context", Py_T_OBJECT_EX, offsetof(seat, context), 0, "Its contextvars.Context."},
    {"user", Py_T_UINT, offsetof(seat, user), Py_READONLY, 0},
    {0},
};
static PyType_Slot client_slots[] = {{Py_tp_dealloc, client_dealloc}, {0}};
static PyType_Slot lines_slots[] = {{Py_tp_dealloc, lines_dealloc}, {0}};
static PyType_Slot answer_slots[] = {{Py_tp_dealloc, answer_dealloc},
    {Py_tp_methods, answer_methods}, {Py_tp_members, answer_members}, {0}};
static PyType_Slot seat_slots[] = {
    {Py_tp_dealloc, seat_dealloc}, {Py_tp_members, seat_members}, {Py_tp_new, seat_new}, {0}};
static PyType_Spec client_spec = {
    "_swarm.Client", sizeof(holder), 0, Py_TPFLAGS_DISALLOW_INSTANTIATION, client_slots};
static PyType_Spec lines_spec = {
    "_swarm.Lines", sizeof(holder), 0, Py_TPFLAGS_DISALLOW_INSTANTIATION, lines_slots};
static PyType_Spec answer_spec = {
    "_swarm.Answer", sizeof(answer), 0, Py_TPFLAGS_DISALLOW_INSTANTIATION, answer_slots};
static PyType_Spec seat_spec = {"_swarm.Seat", sizeof(seat), 0, Py_TPFLAGS_DEFAULT, seat_slots};

int add_types(PyObject *module) {
  client_type = PyType_FromSpec(&client_spec);
  lines_type = PyType_FromSpec(&lines_spec);
  answer_type = PyType_FromSpec(&answer_spec);
  seat_type = PyType_FromSpec(&seat_spec);
  if (!client_type || !lines_type || !answer_type || !seat_type) return -1;
  return PyDict_SetItemString(module, "Seat", seat_type);
}
