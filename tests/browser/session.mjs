// A person at the page of a `swarm master`, at full size: `cargo xtask session` runs this in two
// steps, so that no browser takes of the machine what is measured between them.
//
//   node session.mjs start   fills in the form, starts the test, waits for all users
//   node session.mjs stop    comes back to the running test, stops it, waits for its end
//
//   SWARM_WEB         base URL of the page
//   SWARM_USERS       what is typed as the number of users
//   SWARM_SPAWN_RATE  what is typed as the users started a second
//   SWARM_SHOTS       folder for pictures
//   CHROMIUM          the browser; default /usr/bin/chromium

import assert from 'node:assert/strict';
import { need, open, PATIENCE_MS, picture, until } from './chromium.mjs';

const web = need('SWARM_WEB');
const users = Number(need('SWARM_USERS'));
const spawnRate = Number(need('SWARM_SPAWN_RATE'));
// For the pictures.
need('SWARM_SHOTS');

/** Before a picture of a tab: its charts are drawn when there is news, once a second. */
const DRAW_MS = 2_500;

const STEPS = { start, stop };
const step = STEPS[process.argv[2]];
assert.ok(step, `usage: node session.mjs ${Object.keys(STEPS).join('|')}`);

const { browser, page } = await open({ viewport: { width: 1600, height: 900 } });
try {
  await page.goto(web);
  await step();
} finally {
  await browser.close();
}

async function start() {
  await field('Number of users').fill(String(users));
  await field('Spawn rate').fill(String(spawnRate));
  await picture(page, '1-start');
  await page.getByRole('button', { name: 'Start swarming', exact: true }).click();
  const limit = PATIENCE_MS + (users / spawnRate) * 1000;
  const allRun = async () => {
    const alive = await usersAlive();
    assert.ok(alive <= users, `${alive} users are too many`);
    return alive === users && (await state()) === 'running';
  };
  await until('all users run', allRun, limit);
  await tabs('2-all-users');
}

async function stop() {
  await tabs('3-before-stop');
  await page.getByRole('tab', { name: 'Statistics' }).click();
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await until('the test is stopped', async () => (await state()) === 'stopped');
  await picture(page, '4-stopped');
}

/** A picture of each tab that shows the load. */
async function tabs(name) {
  for (const tab of ['Statistics', 'Charts', 'Workers']) {
    await page.getByRole('tab', { name: tab }).click();
    await page.getByRole('tabpanel', { name: tab }).waitFor();
    await page.waitForTimeout(DRAW_MS);
    await picture(page, `${name}-${tab.toLowerCase()}`);
  }
}

function field(label) {
  return page.getByLabel(label, { exact: true });
}

function state() {
  return page.getByTestId('state').innerText();
}

/** Numbers are grouped by narrow spaces. */
async function usersAlive() {
  return Number((await page.getByTestId('users').innerText()).replaceAll(/\s/g, ''));
}
