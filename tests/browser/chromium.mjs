// What all of these need: the browser, and waiting for what takes a while.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { chromium } from 'playwright-core';

/** Long enough for a slow machine; nothing is measured by it. */
export const PATIENCE_MS = 60_000;
const LOOK_MS = 200;

/** How Chromium is started; it asks nobody else for anything. */
export const LAUNCH = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};

/** Screens that the page has to fit. */
export const LAPTOP = { width: 1280, height: 800 };
export const TELEPHONE = { width: 390, height: 844 };

/** A browser with one page; both are closed with the browser. */
export async function open(options = {}) {
  const browser = await chromium.launch(LAUNCH);
  const page = await browser.newPage(options);
  page.setDefaultTimeout(PATIENCE_MS);
  return { browser, page };
}

/** A variable without which there is nothing to do. */
export function need(name) {
  const value = process.env[name];
  assert.ok(value, `set ${name}, see the head of this file`);
  return value;
}

/** Waits until something holds. */
export async function until(what, holds, limitMs = PATIENCE_MS) {
  const end = Date.now() + limitMs;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `waited too long until ${what}`);
    await pause(LOOK_MS);
  }
}

/** Takes a picture, if there is a folder for them: SWARM_SHOTS. */
export async function picture(page, name) {
  const folder = process.env.SWARM_SHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
}
