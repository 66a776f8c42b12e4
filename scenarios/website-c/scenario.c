// A small website: most users look at the front page and at the page about it.
//
// The host loads the component, asks `describe` for the plan and then calls `start`, `run` and
// `stop` for each virtual user. `scenario.h` declares those four and all that a scenario can call;
// it is generated from `wit/scenario.wit` and lives in `guest-sdk/c/`.
//
// Who owns what: a string or list that an export returns is freed after the call by generated code,
// so it must come from malloc. A string passed to an import is only read. What an import returns is
// ours: strings are freed, responses dropped.

#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>

enum { TASK_INDEX, TASK_ABOUT, TASK_COUNT };

// What the users of this scenario do; a task's place in the table is its id.
static const struct {
  const char *name;
  const char *path;
  double weight;
} tasks[TASK_COUNT] = {
    [TASK_INDEX] = {.name = "index", .path = "/", .weight = 1},
    [TASK_ABOUT] = {.name = "about", .path = "/about", .weight = 1},
};

// The user's client. The plan says `per-user`, so this instance carries one user at a time.
static scenario_own_client_t client;

// Copies a text for the host, which frees it.
static scenario_string_t owned(const char *text) {
  scenario_string_t string;
  scenario_string_dup(&string, text);
  return string;
}

// Lends a text to the host for one call.
static scenario_string_t lent(const char *text) {
  scenario_string_t string;
  scenario_string_set(&string, text);
  return string;
}

// The root set: every task, drawn by weight.
static swarm_scenario_plan_task_set_t root_set(void) {
  swarm_scenario_plan_task_t *list = calloc(TASK_COUNT, sizeof *list);
  for (uint32_t id = 0; list != NULL && id < TASK_COUNT; id++) {
    list[id] = (swarm_scenario_plan_task_t){
        .id = id,
        .name = owned(tasks[id].name),
        .weight = tasks[id].weight,
        .action = {.tag = SWARM_SCENARIO_PLAN_ACTION_RUN},
    };
  }
  return (swarm_scenario_plan_task_set_t){
      .name = owned("root"),
      .order = {.tag = SWARM_SCENARIO_PLAN_ORDER_WEIGHTED},
      .tasks = {.ptr = list, .len = list != NULL ? TASK_COUNT : 0},
  };
}

// The plan: who the users are, how long they rest, what they may do.
bool exports_scenario_describe(scenario_scenario_plan_t *plan, scenario_string_t *error) {
  swarm_scenario_plan_user_class_t *class = calloc(1, sizeof *class);
  swarm_scenario_plan_task_set_t *set = calloc(1, sizeof *set);
  if (class == NULL || set == NULL) {
    free(class);
    free(set);
    *error = owned("out of memory for the plan");
    return false;
  }
  *set = root_set();
  *class = (swarm_scenario_plan_user_class_t){
      .name = owned("WebsiteUser"),
      .population = {.tag = SWARM_SCENARIO_PLAN_POPULATION_WEIGHT, .val.weight = 1},
      .wait = {.tag = SWARM_SCENARIO_PLAN_WAIT_BETWEEN, .val.between = {.min = 1000, .max = 5000}},
      .sets = {.ptr = set, .len = 1},
  };
  *plan = (scenario_scenario_plan_t){
      .classes = {.ptr = class, .len = 1},
      .sharing = {.tag = SWARM_SCENARIO_PLAN_SHARING_PER_USER},
  };
  return true;
}

// A user begins. Its client, which is ours from now on, holds its connections and its cookies.
bool exports_scenario_start(scenario_user_t *user, scenario_own_client_t own,
                            scenario_string_t *error) {
  (void)user;
  (void)error;
  client = own;
  return true;
}

// Gets a page, and marks the request as failed if the answer is not the page.
static void visit(const char *path) {
  scenario_string_t url = lent(path);
  swarm_scenario_http_own_response_t response;
  swarm_scenario_http_error_t error;
  if (!swarm_scenario_http_method_client_get(swarm_scenario_http_borrow_client(client), &url,
                                             &response, &error)) {
    // No answer: the host has already counted it as a failure, with the reason.
    swarm_scenario_http_error_free(&error);
    return;
  }
  swarm_scenario_http_borrow_response_t view = swarm_scenario_http_borrow_response(response);
  unsigned status = swarm_scenario_http_method_response_status(view);
  if (status != 200) {
    char text[40];
    snprintf(text, sizeof text, "expected a 200, got %u", status);
    scenario_string_t reason = lent(text);
    swarm_scenario_http_method_response_fail(view, &reason);
  }
  // A response that is not dropped stays in the host's memory.
  swarm_scenario_http_response_drop_own(response);
}

// A user does a task. Returning false with an error puts the error among the test's errors.
bool exports_scenario_run(uint32_t user, uint32_t task, scenario_then_t *then,
                          scenario_string_t *error) {
  (void)user;
  if (task >= TASK_COUNT) {
    *error = owned("no such task");
    return false;
  }
  visit(tasks[task].path);
  *then = SWARM_SCENARIO_PLAN_THEN_REST;
  return true;
}

// A user ends; its client goes back to the host.
void exports_scenario_stop(uint32_t user) {
  (void)user;
  swarm_scenario_http_client_drop_own(client);
}
