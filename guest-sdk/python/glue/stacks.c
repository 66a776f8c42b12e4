// The stacks of calls.
//
// Any number of calls waits inside of this instance at a time, each on a native stack that the host
// gives it. What it needs besides, and what code that was compiled for one thread knows only one
// of, is in a slot: a shadow stack, where C keeps the variables that have an address, and a thread
// state of CPython. Slots are used again, so there are as many as have ever waited at once.
#include "glue.h"

// Of a shadow stack. CPython raises a RecursionError 16 KiB before its end, and would abort 4 KiB
// before it.
enum { STACK_BYTES = 96 << 10, SOFT_BYTES = 16 << 10, HARD_BYTES = 4 << 10 };

// CPython 3.14 takes for its stack the one that libc knows, and has no function to say otherwise;
// 3.15 has PyUnstable_ThreadState_SetStackProtection. So three words of the thread state are
// written: the top, and the two limits. They are where this build has them: what they hold after
// CPython itself has written them tells whether that is so. A runtime where it is not must not run,
// and `prepare` looks, so none is ever built.
enum { TOP = 708 / 4, SOFT = TOP + 1, HARD = TOP + 2, MARGIN_BYTES = 8192 };

static slot *unused;

static slot *new_slot(PyInterpreterState *interpreter) {
  slot *new = calloc(1, sizeof *new);
  char *stack = aligned_alloc(16, STACK_BYTES);
  if (!new || !stack) {
    free(new);
    free(stack);
    return NULL;
  }
  new->top = (uint32_t)stack + STACK_BYTES;
  new->thread = PyThreadState_New(interpreter);
  if (!new->thread) {
    free(new);
    free(stack);
    return NULL;
  }
  return new;
}

// A slot for a call, or NULL if there is no memory for it.
slot *take_slot(PyInterpreterState *interpreter) {
  if (!unused) return new_slot(interpreter);
  slot *taken = unused;
  unused = taken->next;
  return taken;
}

void give_slot(slot *given) {
  given->next = unused;
  unused = given;
}

// Tells CPython the limits of the slot's stack. To be called on that stack, with the slot's thread
// state as the current one.
void limit_slot(slot *of) {
  if (of->limited) return;
  _Py_InitializeRecursionLimits(of->thread);
  // Those of libc's stack, which is no heap memory.
  uint32_t *words = (uint32_t *)of->thread;
  if (words[SOFT] - words[HARD] != MARGIN_BYTES || words[TOP] <= words[SOFT] ||
      words[TOP] > (uint32_t)of) {
    dprintf(2, "the limits of a thread's stack are not where CPython 3.14.0 has them\n");
    __builtin_trap();
  }
  uint32_t bottom = of->top - STACK_BYTES;
  words[TOP] = of->top;
  words[SOFT] = bottom + SOFT_BYTES;
  words[HARD] = bottom + HARD_BYTES;
  of->limited = 1;
}
