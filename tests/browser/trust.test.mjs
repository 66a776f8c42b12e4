// What the page says of figures that cannot be taken as they are, in Chromium: of a target that
// never answers, of a target that ends kept connections, and of a generator that is late.
//
//   SWARM_HUNG    base URL of the page of a test with five users, each of which waits for an answer
//   SWARM_RESENT  base URL of the page of a test in which requests are sent again
//   SWARM_LATE    base URL of a page; a test that is started there is late
//   SWARM_SHOTS   folder for pictures; optional
//   CHROMIUM      the browser; default /usr/bin/chromium

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LAPTOP, need, open, picture, TELEPHONE, until } from './chromium.mjs';

let browser;
let page;

before(async () => {
  ({ browser, page } = await open({ viewport: LAPTOP, colorScheme: 'light' }));
});

after(() => browser?.close());

const tab = (name) => page.getByRole('tab', { name });
const button = (name) => page.getByRole('button', { name, exact: true });
const items = (list) => page.getByRole('list', { name: list }).getByRole('listitem');
const text = (id) => page.getByTestId(id).innerText();
const empty = () => page.locator('tr.empty').innerText();
const state = () => text('state');

test('requests on their way are told before one is answered', async () => {
  await page.goto(need('SWARM_HUNG'));
  await until('all are on their way', async () => (await text('in-flight')) === '5');
  assert.equal(await empty(), '5 requests on their way, none answered yet.');
  await picture(page, 'trust-hung');
  await tab('Workers').click();
  const worker = page.locator('tbody tr').first();
  assert.equal(await worker.locator('td').nth(4).innerText(), '5');
  await tab('Charts').click();
  const users = page.locator('figure.chart').last();
  await until('the last second is in the chart', async () => {
    return /on their way\s*5/.test(await users.locator('.u-legend').innerText());
  });
  await picture(page, 'trust-hung-charts');
  await page.setViewportSize(TELEPHONE);
  await tab('Statistics').click();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= TELEPHONE.width, `the page is ${wide} px wide`);
  await picture(page, 'trust-hung-390');
  await page.setViewportSize(LAPTOP);
});

test('a test in which nothing was answered ends with a warning', async () => {
  await button('Stop').click();
  const warning = items('Warnings');
  await warning.filter({ hasText: 'Nothing was answered: 5 requests cut off' }).waitFor();
  assert.equal(await warning.count(), 1);
  assert.equal(await items('Notices').count(), 0, 'it is said once');
  assert.equal(await empty(), 'No request was answered.');
  assert.equal(await text('in-flight'), '0');
  const foot = page.locator('.footer');
  assert.match(await foot.innerText(), /5 requests cut off on their way/);
  assert.match(await text('connections'), /5 opened · 0 times reused · 0 failed/);
  await picture(page, 'trust-nothing-answered');
});

test('requests that were sent again have a column', async () => {
  await page.goto(need('SWARM_RESENT'));
  const head = page.getByRole('columnheader', { name: '# Resent' });
  await head.waitFor();
  await button('Stop').click();
  await until('it is over', async () => (await state()) === 'stopped');
  const at = await head.evaluate((cell) => cell.cellIndex);
  const resent = () => page.locator('tfoot td').nth(at).innerText();
  const { connections, total } = await stats('SWARM_RESENT');
  await until('the page has the last figures', async () => {
    return number(await resent()) === total.num_resent;
  });
  assert.ok(total.num_resent > 0);
  assert.equal(connections.resent, total.num_resent);
  const [opened, reused, failed] = (await text('connections')).match(/\d[\d\s]*/g).map(number);
  assert.deepEqual({ opened, reused, failed, resent: number(await resent()) }, connections);
  assert.match(await page.locator('.footer').innerText(), /requests sent again/);
  await picture(page, 'trust-resent');
});

test('a generator that is late is a warning, and no green light', async () => {
  await page.goto(need('SWARM_LATE'));
  const post = (path, form) =>
    fetch(new URL(path, need('SWARM_LATE')), { method: 'POST', body: new URLSearchParams(form) });
  await post('swarm', { user_count: '50', spawn_rate: '100' });
  const warning = items('Warnings').filter({ hasText: /^The generator is late: half of the / });
  await warning.waitFor();
  const [light] = await page.getByTestId('state').evaluateAll((all) => all.map((e) => e.className));
  assert.match(light, /state-late/);
  await until('the master has made a notice of it', async () => {
    const answer = await fetch(new URL('api/v1/view', need('SWARM_LATE')));
    return (await answer.json()).notices.length > 0;
  });
  assert.equal(await items('Notices').count(), 0, 'it is said once');
  await picture(page, 'trust-late');
  await tab('Workers').click();
  await page.locator('tbody td .bad').first().waitFor();
  await page.locator('tbody td .state-late').first().waitFor();
  await picture(page, 'trust-late-workers');
  await post('stop', {});
  await items('Warnings').filter({ hasText: /^The generator was late: / }).waitFor();
});

async function stats(name) {
  const answer = await fetch(new URL('api/v1/view', need(name)));
  return (await answer.json()).stats;
}

/** Numbers are grouped by narrow spaces. */
function number(digits) {
  const value = Number(digits.replaceAll(/\s/g, ''));
  assert.ok(Number.isFinite(value), `${digits} is a number`);
  return value;
}
