// Between the entry functions and what they do.
#pragma once

#include "glue.h"

// A slot for the call that begins, on the base stack. Never NULL.
slot *slot_for_call(void);

void in_start(slot *, uint32_t id, uint32_t class, uint32_t seed, handle client);
void in_run(slot *, uint32_t user);
void in_stop(slot *, uint32_t user);
void in_end(slot *);
void in_branch(slot *, uint32_t number);
char *in_describe(slot *);
void in_prepare(slot *);
