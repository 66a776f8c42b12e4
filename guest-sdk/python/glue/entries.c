// What the host calls.
//
// `start`, `run`, `stop` and the hooks are lifted stackful: any number of them is in the middle of
// something at a time. Whoever waits has left the stack pointer anywhere, and what is written below
// it when a call ends could be a frame of somebody who has gone on meanwhile. So an entry first
// sets the stack pointer to the base stack, which nobody waits on, takes a slot and goes over to
// its stack, and at its end it goes back to the base.
//
// For that the functions of this file must have no frame on the shadow stack, so nothing of what
// they call may be inlined: it is all in other files. The compiler is told to refuse a frame here.
#include "calls.h"

#define EXPORT(name) __attribute__((export_name(name)))

static uint32_t base_stack;

#define ON_A_STACK(body) \
  do { \
    if (!base_stack) base_stack = get_stack(); \
    set_stack(base_stack); \
    slot *at = slot_for_call(); \
    set_stack(at->top); \
    body; \
    set_stack(base_stack); \
    give_slot(at); \
  } while (0)

EXPORT("[async-lift-stackful]start")
void entry_start(uint32_t id, uint32_t class, uint32_t seed, handle client) {
  ON_A_STACK(in_start(at, id, class, seed, client));
}

EXPORT("[async-lift-stackful]run")
void entry_run(uint32_t user, uint32_t task) { ON_A_STACK(in_run(at, user)); }

EXPORT("[async-lift-stackful]stop")
void entry_stop(uint32_t user) { ON_A_STACK(in_stop(at, user)); }

EXPORT("[async-lift-stackful]swarm:scenario/hooks@0.1.0#end")
void entry_end(void) { ON_A_STACK(in_end(at)); }

EXPORT("[async-lift-stackful]swarm:scenario/hooks@0.1.0#branch")
void entry_branch(uint32_t branch) { ON_A_STACK(in_branch(at, branch)); }

// `describe` and `prepare` wait for nothing and run alone. They have a slot's stack all the same:
// it is one whose end CPython knows.
EXPORT("describe")
char *entry_describe(void) {
  char *result;
  ON_A_STACK(result = in_describe(at));
  return result;
}

EXPORT("prepare")
void entry_prepare(void) { ON_A_STACK(in_prepare(at)); }

// All of the memory, for whoever makes the snapshot.
EXPORT("memory")
struct list *entry_memory(void) {
  static struct list all;
  all.length = __builtin_wasm_memory_size(0) << 16;
  return &all;
}
