// What the glue imports of the host, as `wit/` has it: core functions and the records that they
// write. The names and layouts are those of the canonical ABI; `wasm-tools component embed` refuses
// a signature that does not fit.
#pragma once

#include <stdint.h>

typedef int32_t handle;

// A text or a list of bytes in memory that is to be freed, if it is not empty.
typedef struct {
  char *at;
  uint32_t length;
} owned;

#define IMPORT(interface, name) \
  __attribute__((import_module("swarm:scenario/" interface "@0.1.0"), import_name(name))) extern
#define ROOT(name) __attribute__((import_module("[export]$root"), import_name(name))) extern
#define HOOKS(name) \
  __attribute__((import_module("[export]swarm:scenario/hooks@0.1.0"), import_name(name))) extern

// exchange
struct received {
  handle answer;
  uint16_t status;
  uint8_t recorded, sets_cookies, stopping;
  uint64_t length;
  double elapsed, head_elapsed;
};
struct failure {
  uint8_t kind;
  owned message;
  double elapsed;
};
struct fetched {
  uint8_t failed;
  union {
    struct received received;
    struct failure failure;
  };
};
_Static_assert(sizeof(struct fetched) == 48 && offsetof(struct fetched, received.length) == 24, "");
_Static_assert(offsetof(struct fetched, failure.message) == 12, "");
struct made {
  uint8_t failed;
  union {
    handle lines;
    owned message;
  };
};
struct opened {
  uint8_t some;
  handle client;
};

IMPORT("exchange", "fetch")
void host_fetch(handle client, const char *method, uint32_t method_length, const char *url,
    uint32_t url_length, int has_name, const char *name, uint32_t name_length, handle common,
    const char *further, uint32_t further_length, const char *body, uint32_t body_length,
    uint32_t timeout, int manner, struct fetched *);
IMPORT("exchange", "unanswered")
void host_unanswered(const char *kind, uint32_t, const char *name, uint32_t, double elapsed,
    const char *error, uint32_t);
IMPORT("exchange", "open") void host_open(struct opened *);
IMPORT("exchange", "[static]header-lines.make")
void host_make_lines(const char *, uint32_t, struct made *);
IMPORT("exchange", "[resource-drop]header-lines") void host_drop_lines(handle);
IMPORT("exchange", "[method]answer.reason") void host_reason(handle, owned *);
IMPORT("exchange", "[method]answer.lines") void host_answer_lines(handle, owned *);
IMPORT("exchange", "[method]answer.body") void host_body(handle, owned *);
IMPORT("exchange", "[resource-drop]answer") void host_drop_answer(handle);
IMPORT("http-async", "[resource-drop]client") void host_drop_client(handle);

// turns
enum { END_TIME, END_EVENT, END_STOPPED };
IMPORT("turns", "rest") void host_rest(uint32_t user, double ms);
IMPORT("turns", "until")
int host_until(int has_client, handle client, uint32_t event, int has_ms, double ms);
IMPORT("turns", "wake") void host_wake(uint32_t event);
IMPORT("turns", "branch") void host_branch(uint32_t branch);

// test
struct some_text {
  uint8_t some;
  owned text;
};
struct list {
  void *at;
  uint32_t length;
};
IMPORT("test", "begun") int host_begun(void);
IMPORT("test", "host") void host_host(struct some_text *);
IMPORT("test", "tags") void host_tags(struct list *);
IMPORT("test", "exclude-tags") void host_exclude_tags(struct list *);
IMPORT("test", "args") void host_args(struct list *);
IMPORT("test", "stop-timeout") double host_stop_timeout(void);
IMPORT("test", "exception") void host_exception(const char *, uint32_t, const char *, uint32_t);
IMPORT("test", "finish") void host_finish(const char *, uint32_t);

// Others
IMPORT("log", "log") void host_log(int level, const char *, uint32_t);
IMPORT("metrics", "sample")
void host_sample(const char *kind, uint32_t, const char *name, uint32_t, double elapsed,
    uint32_t bytes, int has_error, const char *error, uint32_t);

// The results of exports.
enum { THEN_REST, THEN_HURRY, THEN_LEAVE, THEN_FINISH };
ROOT("[task-return]start") void return_start(int failed, const char *error, uint32_t length);
ROOT("[task-return]run") void return_run(int failed, intptr_t then_or_error, uint32_t length);
ROOT("[task-return]stop") void return_stop(void);
HOOKS("[task-return]end") void return_end(void);
HOOKS("[task-return]branch") void return_branch(void);

// Of the adapter between WASI's two versions. The first forgets what it has opened; the others read
// the environment anew, which libc has read once, before the snapshot.
#define ADAPTER(name) \
  __attribute__((import_module("wasi_snapshot_preview1"), import_name(name))) extern
ADAPTER("reset_adapter_state") void reset_adapter_state(void);
ADAPTER("environ_sizes_get") int environ_sizes_get(uint32_t *count, uint32_t *bytes);
ADAPTER("environ_get") int environ_get(char **lines, char *bytes);
