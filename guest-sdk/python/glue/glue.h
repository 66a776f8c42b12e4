// Between the component model and CPython: what the files of the glue have in common.
#pragma once

#include "python.h"
#include "host.h"

// Where the shadow stack of the running call ends. A call that waits leaves it where it is; whoever
// goes on sets it first.
__asm__(".globaltype __stack_pointer, i32");
static inline uint32_t get_stack(void) {
  uint32_t at;
  __asm__ volatile("global.get __stack_pointer\n\tlocal.set %0" : "=r"(at));
  return at;
}
static inline void set_stack(uint32_t at) {
  __asm__ volatile("local.get %0\n\tglobal.set __stack_pointer" ::"r"(at) : "memory");
}

// For variables that another file has. Without it the linker would take them for another library's,
// and have the library's start function find their addresses, which the snapshot leaves out.
#define OURS __attribute__((visibility("hidden")))

// stacks.c: what a call needs of its own.
typedef struct slot {
  struct slot *next;
  uint32_t top;
  PyThreadState *thread;
  int limited;
} slot;
slot *take_slot(PyInterpreterState *);
void give_slot(slot *);
void limit_slot(slot *);

// objects.c: whose turn it is. A user or a branch has a seat, which a call sits on until it ends.
typedef struct {
  PyObject head;
  uint32_t user;
  // Of the user's client; -1 where there is none.
  handle number;
  uint64_t random;
  PyObject *client, *who, *context;
} seat;
OURS extern seat *current;
// Takes over the client, which may be NULL.
seat *new_seat(uint64_t seed, uint32_t user, PyObject *client);
PyObject *new_client(handle);
PyObject *new_answer(const struct received *);
PyObject *new_lines(handle);
// Negative, with an exception, if it is not one.
handle client_of(PyObject *);
handle lines_of(PyObject *);
int add_types(PyObject *module);

// functions.c: the module `_swarm`.
int add_functions(PyObject *module);
PyObject *text_from(owned);
PyObject *none(void);
// Python's functions that the exports call.
OURS extern struct handlers {
  PyObject *load, *describe, *start, *run, *stop, *end, *branch, *trace;
} handlers;

// plan.c: the result of `describe`.
char *plan_result(PyObject *plan);
char *plan_error(PyObject *text);

// A call that may wait: others run meanwhile. The interpreter's state and the stack are this
// call's again behind it, and so is the seat.
#define WAITING(call) \
  do { \
    PyThreadState *thread_ = PyEval_SaveThread(); \
    uint32_t stack_ = get_stack(); \
    seat *seat_ = current; \
    call; \
    set_stack(stack_); \
    current = seat_; \
    PyEval_RestoreThread(thread_); \
  } while (0)
