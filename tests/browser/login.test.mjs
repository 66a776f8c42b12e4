// Logs in to the page of a `swarm run` or `swarm master` in Chromium, and out again.
//
//   SWARM_WEB    base URL of the page, which is behind a login
//   SWARM_TOKEN  what opens it
//   CHROMIUM     the browser; default /usr/bin/chromium

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { need, open } from './chromium.mjs';

const web = need('SWARM_WEB').replace(/\/*$/, '/');

let browser;
let page;

before(async () => {
  ({ browser, page } = await open());
});

after(() => browser?.close());

const token = () => page.getByLabel('Token');
const button = (name) => page.getByRole('button', { name, exact: true });

test('the token opens the page, and logging out closes it', async () => {
  await page.goto(web);
  await token().fill(need('SWARM_TOKEN'));
  await button('Log in').click();
  await button('Start swarming').waitFor();
  await button('Log out').click();
  await token().waitFor();
  // The session is over, not only its page.
  await page.goto(web);
  await token().waitFor();
  assert.ok(page.url().endsWith('/login'), page.url());
});
