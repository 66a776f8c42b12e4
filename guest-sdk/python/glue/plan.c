// The result of `describe`: what Python says of the scenario, as the canonical ABI wants it.
//
// Python gives a list of classes, each a tuple (name, weight, fixed, host, wait, a, b, tasks):
// weight is a number, or None where there is a fixed count; host is a text or None; wait is the
// number of a case of `plan.wait`, a and b are its milliseconds. Tasks are tuples (name, weight,
// tags). Each class has one set with these tasks. The memory is never freed: an instance describes
// once.
#include "glue.h"

struct wait {
  uint8_t which;
  union {
    uint32_t ms[2];
    double rate;
  };
};
struct population {
  uint8_t fixed;
  union {
    double weight;
    uint32_t count;
  };
};
struct task {
  uint32_t id;
  owned name;
  double weight;
  struct list tags;
  uint8_t enter;
  uint32_t set;
};
struct set {
  owned name;
  uint8_t order;
  struct list rows, tasks;
};
struct class {
  owned name;
  struct population population;
  struct some_text host;
  struct wait wait;
  struct list sets;
};
struct sharing {
  uint8_t shared;
  uint32_t users;
};
struct result {
  uint8_t failed;
  union {
    struct {
      struct list classes;
      struct sharing sharing;
    };
    owned error;
  };
};
_Static_assert(sizeof(struct class) == 64 && offsetof(struct class, wait) == 40, "");
_Static_assert(offsetof(struct class, sets) == 56, "");
_Static_assert(sizeof(struct task) == 40 && offsetof(struct task, tags) == 24, "");
_Static_assert(sizeof(struct set) == 28 && offsetof(struct set, tasks) == 20, "");
_Static_assert(sizeof(struct result) == 20 && offsetof(struct result, sharing) == 12, "");

static owned copied(PyObject *text) {
  Py_ssize_t length;
  const char *at = PyUnicode_AsUTF8AndSize(text, &length);
  owned copy = {malloc((size_t)length + 1), (uint32_t)length};
  if (!at || !copy.at) __builtin_trap();
  memcpy(copy.at, at, (size_t)length);
  return copy;
}

// A list of so many records, filled with zeros.
static struct list room(PyObject *items, size_t size) {
  struct list list = {NULL, (uint32_t)PyList_Size(items)};
  list.at = aligned_alloc(8, (list.length * size + 8) & ~(size_t)7);
  if (!list.at) __builtin_trap();
  memset(list.at, 0, list.length * size);
  return list;
}

static void task_to(struct task *to, uint32_t id, PyObject *task) {
  to->id = id;
  to->name = copied(PyTuple_GetItem(task, 0));
  to->weight = PyFloat_AsDouble(PyTuple_GetItem(task, 1));
  PyObject *tags = PyTuple_GetItem(task, 2);
  to->tags = room(tags, sizeof(owned));
  for (uint32_t i = 0; i < to->tags.length; i++)
    ((owned *)to->tags.at)[i] = copied(PyList_GetItem(tags, i));
}

static void class_to(struct class *to, PyObject *class) {
  PyObject *weight = PyTuple_GetItem(class, 1), *host = PyTuple_GetItem(class, 3);
  to->name = copied(PyTuple_GetItem(class, 0));
  to->population.fixed = weight == Py_None;
  if (weight == Py_None) to->population.count = (uint32_t)PyLong_AsLong(PyTuple_GetItem(class, 2));
  else to->population.weight = PyFloat_AsDouble(weight);
  to->host.some = host != Py_None;
  if (to->host.some) to->host.text = copied(host);
  to->wait.which = (uint8_t)PyLong_AsLong(PyTuple_GetItem(class, 4));
  for (int i = 0; i < 2; i++) to->wait.ms[i] = PyLong_AsUnsignedLong(PyTuple_GetItem(class, 5 + i));
  struct set *set = aligned_alloc(8, 32);
  if (!set) __builtin_trap();
  memset(set, 0, sizeof *set);
  to->sets = (struct list){set, 1};
  set->name = to->name;
  PyObject *tasks = PyTuple_GetItem(class, 7);
  set->tasks = room(tasks, sizeof(struct task));
  for (uint32_t i = 0; i < set->tasks.length; i++)
    task_to((struct task *)set->tasks.at + i, i, PyList_GetItem(tasks, i));
}

static struct result *new_result(void) {
  struct result *result = aligned_alloc(8, 24);
  if (!result) __builtin_trap();
  memset(result, 0, sizeof *result);
  return result;
}

char *plan_result(PyObject *plan) {
  struct result *result = new_result();
  result->classes = room(plan, sizeof(struct class));
  for (uint32_t i = 0; i < result->classes.length; i++) {
    class_to((struct class *)result->classes.at + i, PyList_GetItem(plan, i));
  }
  return (char *)result;
}

char *plan_error(PyObject *text) {
  struct result *result = new_result();
  result->failed = 1;
  result->error = copied(text);
  return (char *)result;
}
