// What the calls of the host do, each on its own stack already: see `entries.c`.
#include "calls.h"

static PyInterpreterState *interpreter;
static PyThreadState *main_thread;
// Seats by user.
static PyObject *seats;
// Why the script could not be loaded.
static PyObject *fatal;
static int is_loaded;

// start.c
PyThreadState *begin_python(void);

// What an exception looks like to its author. Never NULL, and no exception is left.
static PyObject *text_of_error(void) {
  PyObject *error = PyErr_GetRaisedException();
  PyObject *text = error && handlers.trace ? PyObject_CallOneArg(handlers.trace, error) : NULL;
  if (!text) {
    PyErr_Clear();
    text = error ? PyObject_Str(error) : NULL;
  }
  PyErr_Clear();
  Py_DecRef(error);
  if (text) return text;
  static const char unknown[] = "an exception that has no text";
  return PyUnicode_FromStringAndSize(unknown, sizeof unknown - 1);
}

// Makes the interpreter, unless the snapshot has it.
static void begin(void) {
  if (main_thread) return;
  main_thread = begin_python();
  PyEval_RestoreThread(main_thread);
  interpreter = PyInterpreterState_Get();
  seats = PyDict_New();
  PyEval_SaveThread();
}

slot *slot_for_call(void) {
  begin();
  PyEval_RestoreThread(main_thread);
  slot *taken = take_slot(interpreter);
  PyEval_SaveThread();
  // Nothing can be said without a stack to say it on.
  if (!taken) __builtin_trap();
  return taken;
}

// Goes over to a call's own stack and thread state, and back.
static void arrive(slot *at) {
  PyEval_RestoreThread(at->thread);
  limit_slot(at);
  current = NULL;
}
static void depart(void) {
  PyErr_Clear();
  PyEval_SaveThread();
}

// Loads the script, if that has not been done. Others that come meanwhile wait in `load` itself.
static int load(void) {
  if (is_loaded) return 0;
  PyObject *done = fatal ? NULL : PyObject_CallNoArgs(handlers.load);
  if (done) {
    is_loaded = 1;
    Py_DecRef(done);
    return 0;
  }
  if (!fatal) fatal = text_of_error();
  return -1;
}

// Calls a function of Python's with a user's seat, in its context.
static PyObject *call_seated(PyObject *function, seat *on, PyObject *argument) {
  if (PyContext_Enter(on->context)) return NULL;
  current = on;
  PyObject *result = argument ? PyObject_CallFunctionObjArgs(function, on, argument, NULL)
                              : PyObject_CallOneArg(function, &on->head);
  current = NULL;
  PyObject *error = PyErr_GetRaisedException();
  PyContext_Exit(on->context);
  if (error) {
    // Raised anew: leaving the context must not see it.
    extern void PyErr_SetRaisedException(PyObject *);
    PyErr_SetRaisedException(error);
  }
  return result;
}

static seat *seat_of(uint32_t user) {
  PyObject *key = PyLong_FromUnsignedLong(user);
  PyObject *found = key ? PyDict_GetItemWithError(seats, key) : NULL;
  Py_DecRef(key);
  return (seat *)found;
}

void in_start(slot *at, uint32_t id, uint32_t class, uint32_t seed, handle number) {
  arrive(at);
  PyObject *client = new_client(number), *error = NULL;
  if (load()) {
    Py_IncRef(fatal);
    error = fatal;
  } else {
    seat *new = client ? new_seat((uint64_t)seed << 32 | id, id, client) : NULL;
    client = NULL;
    PyObject *key = PyLong_FromUnsignedLong(id), *index = PyLong_FromUnsignedLong(class),
             *done = NULL;
    // Known before it is started: its start may wait, and it may be stopped meanwhile.
    if (new && key && index && !PyDict_SetItem(seats, key, &new->head)) {
      done = call_seated(handlers.start, new, index);
    }
    if (!done) {
      error = text_of_error();
      if (key && PyDict_DelItem(seats, key)) PyErr_Clear();
    }
    Py_DecRef(done), Py_DecRef(index), Py_DecRef(key), Py_DecRef(&new->head);
  }
  Py_DecRef(client);
  Py_ssize_t length = 0;
  const char *text = error ? PyUnicode_AsUTF8AndSize(error, &length) : NULL;
  return_start(error != NULL, text, length);
  Py_DecRef(error);
  depart();
}

// Python says how long the user rests, in seconds; less than 0 is for good.
void in_run(slot *at, uint32_t user) {
  arrive(at);
  seat *on = seat_of(user);
  PyObject *rest = on ? call_seated(handlers.run, on, NULL) : NULL;
  double seconds = rest ? PyFloat_AsDouble(rest) : 0;
  Py_DecRef(rest);
  if (PyErr_Occurred()) {
    PyObject *error = text_of_error();
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(error, &length);
    return_run(1, (intptr_t)text, length);
    Py_DecRef(error);
  } else if (!on || seconds < 0) {
    return_run(0, THEN_FINISH, 0);
  } else if (seconds > 0) {
    host_rest(user, seconds * 1000);
    return_run(0, THEN_REST, 0);
  } else {
    return_run(0, THEN_HURRY, 0);
  }
  depart();
}

void in_stop(slot *at, uint32_t user) {
  arrive(at);
  seat *on = seat_of(user);
  if (on) {
    Py_IncRef(&on->head);
    PyObject *done = call_seated(handlers.stop, on, NULL), *key = PyLong_FromUnsignedLong(user);
    if (!done) PyErr_Clear();
    if (key && PyDict_DelItem(seats, key)) PyErr_Clear();
    Py_DecRef(done), Py_DecRef(key), Py_DecRef(&on->head);
  }
  return_stop();
  depart();
}

void in_end(slot *at) {
  arrive(at);
  Py_DecRef(is_loaded ? PyObject_CallNoArgs(handlers.end) : NULL);
  return_end();
  depart();
}

void in_branch(slot *at, uint32_t number) {
  arrive(at);
  PyObject *key = PyLong_FromUnsignedLong(number);
  Py_DecRef(key ? PyObject_CallOneArg(handlers.branch, key) : NULL);
  Py_DecRef(key);
  return_branch();
  depart();
}

char *in_describe(slot *at) {
  arrive(at);
  PyObject *plan = load() ? NULL : PyObject_CallNoArgs(handlers.describe);
  PyObject *error = plan ? NULL : fatal ? fatal : text_of_error();
  char *result = plan ? plan_result(plan) : plan_error(error);
  Py_DecRef(plan);
  depart();
  return result;
}

// Everything up to here is in the snapshot. What libc and the adapter have opened is not there in
// an instance that begins with it.
void in_prepare(slot *at) {
  arrive(at);
  depart();
  reset_adapter_state();
  __wasilibc_reset_preopens();
}
