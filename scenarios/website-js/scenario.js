// A small website: most users look at the front page and at the page about it.
//
// The host loads this module once, asks `describe` for the plan and then calls `start`, `run` and
// `stop` for each virtual user. Every import and its types: `wit/scenario.wit`.

/** What the users of this scenario do; a task's place in the list is its id. */
const tasks = [
  { name: 'index', weight: 1, run: (client) => visit(client, '/') },
  { name: 'about', weight: 1, run: (client) => visit(client, '/about') },
];

/**
 * The client of every user in this instance, by the user's id. Up to 100 users share an instance
 * (see `sharing` below), so nothing about a user may live in a plain module variable.
 */
const clients = new Map();

/** The plan: who the users are, how long they rest, what they may do. */
export function describe() {
  return {
    classes: [
      {
        name: 'WebsiteUser',
        population: { tag: 'weight', val: 1 },
        host: null,
        wait: { tag: 'between', val: { min: 1000, max: 5000 } },
        sets: [
          {
            name: 'root',
            order: { tag: 'weighted' },
            tasks: tasks.map(({ name, weight }, id) => ({
              id,
              name,
              weight,
              tags: [],
              action: { tag: 'run' },
            })),
          },
        ],
      },
    ],
    // An instance of QuickJS costs about 340 KiB; a user more inside one costs about 1 KiB.
    sharing: { tag: 'shared', val: 100 },
  };
}

/** A user begins. Its client holds its connections and its cookies. */
export function start(user, client) {
  clients.set(user.id, client);
}

/** A user does a task. What is thrown as a string ends up among the test's errors. */
export function run(user, task) {
  tasks[task].run(clients.get(user));
  return 'rest';
}

/** A user ends; its client goes back to the host. */
export function stop(user) {
  clients.get(user)?.[Symbol.dispose]();
  clients.delete(user);
}

/** Gets a page, and marks the request as failed if the answer is not the page. */
function visit(client, path) {
  let response;
  try {
    response = client.get(path);
  } catch {
    // No answer: the host has already counted it as a failure, with the reason.
    return;
  }
  try {
    const status = response.status();
    if (status !== 200) {
      response.fail(`expected a 200, got ${status}`);
    }
  } finally {
    // Now, not when the garbage collector gets to it: until then the host keeps the response.
    response[Symbol.dispose]();
  }
}
