// Drives the page of a running `swarm run` or `swarm master` in Chromium, as a user would.
//
//   SWARM_WEB    base URL of the page; no test may have been started there
//   SWARM_HOST   base URL of a `swarm target`, typed into the form
//   SWARM_SHOTS  folder for pictures; optional
//   CHROMIUM     the browser; default /usr/bin/chromium

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { LAUNCH, need, PATIENCE_MS, picture, until } from './chromium.mjs';

const web = need('SWARM_WEB').replace(/\/*$/, '/');
const host = need('SWARM_HOST');

const USERS = 20;
const FEWER = 5;

let profile;
let context;
let page;
const complaints = [];

before(async () => {
  profile = await mkdtemp(join(tmpdir(), 'swarm-browser-'));
  context = await chromium.launchPersistentContext(profile, {
    ...LAUNCH,
    viewport: { width: 1600, height: 900 },
    colorScheme: 'light',
  });
  context.setDefaultTimeout(PATIENCE_MS);
  page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(web)) complaints.push(`foreign request: ${request.url()}`);
  });
  await page.goto(web);
});

after(async () => {
  await context?.close();
  if (profile) await rm(profile, { recursive: true, force: true });
});

test('the form starts a test', async () => {
  await field('Number of users').fill(String(USERS));
  await field('Host').fill(host);
  // What the server would refuse, the field refuses.
  await field('Spawn rate').fill('0');
  const valid = () => field('Spawn rate').evaluate((input) => input.checkValidity());
  assert.equal(await valid(), false);
  await field('Spawn rate').fill('10');
  assert.equal(await valid(), true);
  assert.equal(await button('Log out').count(), 0, 'there is nothing to log out of');
  await picture(page, 'start');
  await button('Start swarming').click();
  await until('the state is running', async () => (await state()) === 'running');
  await until(`${USERS} users are alive`, async () => (await users()) === USERS);
});

test('the counts of the table rise', async () => {
  await until('there is a first request', async () => (await requests()) > 0);
  const first = await requests();
  await until('there are more', async () => (await requests()) > first);
  const names = await page.locator('tbody td.name').allTextContents();
  assert.ok(names.length > 0, 'a row for each name');
  const last = page.locator('tfoot tr').last();
  assert.match(await last.innerText(), /Aggregated/);
  await picture(page, 'statistics');
});

test('heads sort', async () => {
  const head = page.getByRole('columnheader', { name: 'Name', exact: true });
  const names = () => page.locator('tbody td.name').allTextContents();
  await head.getByRole('button').click();
  assert.equal(await head.getAttribute('aria-sort'), 'ascending');
  const rising = await names();
  assert.deepEqual(rising, rising.toSorted());
  assert.equal(await page.getByRole('columnheader', { name: 'Current RPS' }).count(), 1);
  assert.equal(await tile('Current RPS').count(), 1);
  await head.getByRole('button').click();
  const falling = await names();
  assert.deepEqual(falling, rising.toSorted().reverse());
  await head.getByRole('button').click();
  assert.equal(await head.getAttribute('aria-sort'), 'none');
});

test('users are edited live', async () => {
  await button('Edit').click();
  assert.equal(await field('Number of users').inputValue(), String(USERS));
  await field('Number of users').fill(String(FEWER));
  await picture(page, 'edit');
  await button('Update').click();
  await until(`${FEWER} users are alive`, async () => (await users()) === FEWER);
});

test('bad input is refused with the reason', async () => {
  await button('Edit').click();
  await page.getByText('Advanced options').click();
  await field('Run time').fill('soon');
  const seen = complaints.length;
  await button('Update').click();
  await page.getByRole('alert').filter({ hasText: 'run time: "soon" is no time' }).waitFor();
  await page.keyboard.press('Escape');
  // The browser writes every answer over 399 to its console.
  assert.ok(
    complaints.slice(seen).every((line) => line.includes('400')),
    complaints.join(),
  );
  complaints.length = seen;
});

test('every tab opens, by pointer and by arrow keys', async () => {
  for (const name of ['Charts', 'Failures', 'Exceptions', 'Workers', 'Download Data']) {
    await page.getByRole('tab', { name }).click();
    await page.getByRole('tabpanel', { name }).waitFor();
    await picture(page, name.toLowerCase().replace(' ', '-'));
  }
  await page.keyboard.press('Home');
  await page.getByRole('tabpanel', { name: 'Statistics' }).waitFor();
  await page.keyboard.press('ArrowRight');
  await page.getByRole('tabpanel', { name: 'Charts' }).waitFor();
  await page.locator('canvas').first().waitFor();
});

test('files are downloaded', async () => {
  await page.getByRole('tab', { name: 'Download Data' }).click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Request statistics' }).click(),
  ]);
  assert.match(download.suggestedFilename(), /^requests_\d+\.csv$/);
});

test('classes and tasks have their shares', async () => {
  await page.getByRole('tab', { name: 'Current Ratio' }).click();
  const row = (name) => page.locator('tbody tr').filter({ hasText: name });
  await row('WebsiteUser › about').waitFor();
  assert.match(await row('WebsiteUser › about').innerText(), /50\.0%\s+50\.0%/);
});

test('a form that is open when the test ends stays, and says so', async () => {
  await button('Edit').click();
  await field('Number of users').fill('17');
  const stopped = await fetch(new URL('stop', web), { method: 'POST' });
  assert.equal(stopped.status, 200);
  await page.getByRole('status').filter({ hasText: 'The test has ended meanwhile' }).waitFor();
  assert.equal(await field('Number of users').inputValue(), '17');
  await picture(page, 'ended-meanwhile');
  await page.keyboard.press('Escape');
  await until('the state is stopped', async () => (await state()) === 'stopped');
  // On with another test, of which the target counts the requests.
  await fetch(new URL('/counts/reset', host), { method: 'POST' });
  await button('New test').click();
  await button('Start swarming').click();
  await until('the state is running', async () => (await state()) === 'running');
  await page.getByRole('tab', { name: 'Statistics' }).click();
  await until('there are requests', async () => (await requests()) > 0);
});

test('stop ends the test and keeps the figures', async () => {
  await page.getByRole('tab', { name: 'Statistics' }).click();
  const before = await requests();
  await button('Stop').click();
  await until('the state is stopped', async () => (await state()) === 'stopped');
  // The clock of the page goes on: what it shows comes with each view of the master.
  const time = await elapsed();
  const seen = await masterClock();
  await until('three seconds have passed', async () => (await masterClock()) > seen + 3_000);
  assert.equal(await elapsed(), time);
  assert.equal(await page.getByRole('columnheader', { name: 'Mean RPS' }).count(), 1);
  assert.equal(await tile('Mean RPS').count(), 1);
  assert.equal(await users(), 0);
  assert.ok((await requests()) >= before);
  const received = await counts();
  assert.equal(await requests(), received.total);
  assert.deepEqual(await requestsByName(), received.paths);
  await button('New test').waitFor();
  await picture(page, 'stopped');
});

test('it is usable on a telephone in the dark', async () => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.setViewportSize({ width: 360, height: 780 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 360, `the page is ${wide} px wide`);
  await picture(page, 'telephone-dark');
});

test('reset asks before it forgets a result', async () => {
  const time = await elapsed();
  await button('Reset').click();
  await button('Keep it').waitFor();
  await picture(page, 'reset');
  await button('Keep it').click();
  assert.ok((await requests()) > 0);
  await button('Reset').click();
  await button('Forget it').click();
  await until('no request is left', async () => (await requests()) === 0);
  assert.equal(await elapsed(), time, 'the clock stands still');
});

test('the browser had nothing to complain about', () => {
  assert.deepEqual(complaints, []);
});

function field(label) {
  return page.getByLabel(label, { exact: true });
}

function button(name) {
  return page.getByRole('button', { name, exact: true });
}

function state() {
  return page.getByTestId('state').innerText();
}

function tile(name) {
  return page.locator('.tile dt').filter({ hasText: name });
}

/** Time since the start of the test, as the page shows it. */
function elapsed() {
  return page.getByTestId('time').innerText();
}

async function masterClock() {
  const view = await fetch(new URL('api/v1/view', web));
  return (await view.json()).now_ms;
}

async function users() {
  return number(await page.getByTestId('users').innerText());
}

/** Requests of the last row, that of all names. */
async function requests() {
  return number(await page.locator('tfoot td').nth(2).innerText());
}

/** Requests of each name; this scenario has one method. */
async function requestsByName() {
  const rows = await page.locator('tbody tr').all();
  const pairs = rows.map(async (row) => [
    await row.locator('td.name').innerText(),
    number(await row.locator('td').nth(2).innerText()),
  ]);
  return Object.fromEntries(await Promise.all(pairs));
}

/** What the target has received. */
async function counts() {
  const answer = await fetch(new URL('/counts', host));
  assert.equal(answer.status, 200);
  return answer.json();
}

/** Numbers are grouped by narrow spaces. */
function number(text) {
  const value = Number(text.replaceAll(/\s/g, ''));
  assert.ok(Number.isFinite(value), `${text} is a number`);
  return value;
}
