// The page of a test with more names and failures than are kept apart, in Chromium: at the width of
// a small laptop, and of a telephone.
//
//   SWARM_WEB        base URL of the page; a test with such names runs there
//   SWARM_LONG_NAME  a name that no line of the table has room for
//   SWARM_SHOTS      folder for pictures; optional
//   CHROMIUM         the browser; default /usr/bin/chromium

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LAPTOP, need, open, picture, TELEPHONE, until } from './chromium.mjs';

const web = need('SWARM_WEB').replace(/\/*$/, '/');

let browser;
let page;

before(async () => {
  ({ browser, page } = await open({ viewport: LAPTOP, colorScheme: 'light' }));
  await page.goto(web);
});

after(() => browser?.close());

const tab = (name) => page.getByRole('tab', { name });
const notices = () => page.getByRole('list', { name: 'Notices' }).getByRole('listitem');
const names = () => page.locator('tbody td.name').allTextContents();
const filter = () => page.getByLabel('Filter names');

test('limits that were passed are noticed, and notices can be put away', async () => {
  await notices().filter({ hasText: 'more than 2000 names' }).waitFor();
  await notices().filter({ hasText: 'more than 1000 different failures' }).waitFor();
  await picture(page, 'tables-notices');
  await page.getByRole('button', { name: /^Put away: .*more than 2000 names/ }).click();
  await page.getByRole('button', { name: /^Put away: .*different failures/ }).click();
  await until('none is in sight', async () => (await notices().count()) === 0);
  // As long as the tab is open; and they can be looked at again.
  await page.reload();
  await page.getByRole('button', { name: 'Show all 2 notices' }).waitFor();
  assert.equal(await notices().count(), 0);
  await page.getByRole('button', { name: 'Show all 2 notices' }).click();
  assert.equal(await notices().count(), 2);
  await page.getByRole('button', { name: 'Show fewer notices' }).click();
});

test('all names are there, in the order in which people count', async () => {
  await tab('Statistics').click();
  await page.getByText('2\u202f001 names').waitFor();
  const first = (await names()).filter((name) => name.startsWith('/page/')).slice(0, 11);
  const expected = Array.from({ length: 11 }, (_, at) => `/page/${at + 1}`);
  assert.deepEqual(first, expected);
  // Only rows that are near are drawn, wherever the reader goes.
  const few = async () => {
    const drawn = (await names()).length;
    assert.ok(drawn < 500, `${drawn} rows are drawn`);
  };
  await few();
  await page.locator('.scroll').evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await until('the end is drawn', async () => (await names()).includes('/page/1998'));
  await few();
  await page.locator('.scroll').evaluate((element) => element.scrollTo(0, 0));
  await until('the beginning is drawn', async () => (await names()).includes('/page/1'));
  await filter().fill('page/1777');
  await until('the filter finds a name far down', async () => {
    return (await names()).join() === '/page/1777';
  });
  await filter().fill('');
});

test('a long name is shown in full on a small laptop', async () => {
  const long = need('SWARM_LONG_NAME');
  await filter().fill('long');
  const cell = page.locator('tbody td.name', { hasText: long });
  await cell.waitFor();
  const shown = await cell.evaluate((element) => {
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    return {
      clipped: element.scrollWidth > element.clientWidth || element.scrollHeight > box.height + 1,
      cut: style.textOverflow === 'ellipsis' || style.whiteSpace === 'nowrap',
      inSight: box.left >= 0 && box.right <= document.documentElement.clientWidth,
    };
  });
  assert.deepEqual(shown, { clipped: false, cut: false, inSight: true });
  await picture(page, 'tables-long-name');
  await filter().fill('');
});

test('the last chart is above the foot of the page', async () => {
  for (const size of [LAPTOP, TELEPHONE]) {
    await page.setViewportSize(size);
    await tab('Charts').click();
    const chart = page.locator('figure.chart').last();
    await chart.waitFor();
    await page.locator('.footer').scrollIntoViewIfNeeded();
    const [last, foot] = [await chart.boundingBox(), await page.locator('.footer').boundingBox()];
    const covered = last.y + last.height - foot.y;
    assert.ok(covered <= 0, `${covered} px are covered at ${size.width} px`);
    await picture(page, `tables-charts-${size.width}`);
  }
});

test('failures can be read on a telephone', async () => {
  await page.setViewportSize(TELEPHONE);
  await tab('Failures').click();
  // Not the one whose name alone takes several lines.
  const row = page.locator('.stacked tbody tr', { hasText: '404' }).filter({ hasText: '/page/' });
  await row.first().waitFor();
  const error = await row.first().locator('td.lead').boundingBox();
  const name = await row.first().locator('td.name').boundingBox();
  assert.ok(error.x >= 0 && error.x + error.width <= TELEPHONE.width, JSON.stringify(error));
  assert.ok(error.y < name.y, 'the error comes first');
  assert.ok((await row.first().boundingBox()).height < 120, 'a row is no empty space');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= TELEPHONE.width, `the page is ${wide} px wide`);
  await picture(page, 'tables-failures-390');
});
