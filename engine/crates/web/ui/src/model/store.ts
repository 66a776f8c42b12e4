// What the page knows. Signals: a part draws itself again only when what it reads has changed.

import { batch, computed, effect, signal } from '@preact/signals';
import { rate } from './format';
import { type Link, follow } from './live';
import { Rows } from './rows';
import { emptySeries, mergeSeconds } from './series';
import { naturally } from './sort';
import type { Entry, Exception, Failure, LiveEvent, Metric, View, Worker } from './types';

export const view = signal<View | null>(null);
export const login = signal(false);
export const link = signal<Link>('connecting');

/** The tables, each in the order in which it is shown unless the reader sorts it. */
const tables = {
  entries: new Rows<Entry>(
    (row) => `${row.method} ${row.name}`,
    (a, b) => naturally(a.name, b.name) || naturally(a.method, b.method),
  ),
  errors: new Rows<Failure>(
    (row) => `${row.method} ${row.name}\n${row.error}`,
    (a, b) =>
      naturally(a.name, b.name) || naturally(a.method, b.method) || naturally(a.error, b.error),
  ),
  exceptions: new Rows<Exception>(
    (row) => `${row.message}\n${row.trace}`,
    (a, b) => b.count - a.count || naturally(a.message, b.message),
  ),
  metrics: new Rows<Metric>(
    (row) => `${row.kind} ${row.name}`,
    (a, b) => naturally(a.name, b.name),
  ),
  workers: new Rows<Worker>(
    (row) => String(row.index),
    (a, b) => a.index - b.index,
  ),
};

/** The columns of the charts, changed in place; [`seriesVersion`] counts the changes. */
export const series = emptySeries();
export const seriesVersion = signal(0);

/** The form that is open over the page. */
export const dialog = signal<'none' | 'edit' | 'new'>('none');

/** What the last command came to, when that was no success. */
export const trouble = signal<string | null>(null);

/** A finished result is about to be forgotten: is that meant? */
export const resetting = signal(false);

export const state = computed(() => view.value?.state ?? 'ready');
export const active = computed(() => ['spawning', 'running', 'stopping'].includes(state.value));

/** No test was ever started: there is nothing to show but the form. */
export const fresh = computed(() => !active.value && view.value?.test_start_ms == null);

export type Theme = 'system' | 'light' | 'dark';
const THEME_KEY = 'swarm-theme';
export const theme = signal<Theme>(storedTheme());

/** The names of the tabs are also the page's fragment, so a tab can be linked to. */
export const TABS = [
  'statistics',
  'charts',
  'failures',
  'exceptions',
  'ratio',
  'metrics',
  'workers',
  'download',
] as const;
export type Tab = (typeof TABS)[number];
export const tab = signal<Tab>(tabOfFragment());

function tabOfFragment(): Tab {
  const name = location.hash.slice(1);
  return TABS.find((known) => known === name) ?? 'statistics';
}

function storedTheme(): Theme {
  const named = document.documentElement.dataset.theme;
  return named === 'dark' || named === 'light' ? named : 'system';
}

function take(event: LiveEvent): void {
  batch(() => {
    if (mergeSeconds(series, event.oldest_second_ms, event.seconds)) seriesVersion.value += 1;
    for (const name of Object.keys(tables) as (keyof typeof tables)[]) {
      (tables[name] as Rows<unknown>).merge(event.tables[name]);
    }
    const { entries, errors, exceptions, metrics, workers } = tables;
    const stats = {
      ...event.view.stats,
      entries: entries.list,
      errors: errors.list,
      exceptions: exceptions.list,
      metrics: metrics.list,
    };
    login.value = event.login;
    view.value = { ...event.view, workers: workers.list, stats };
  });
}

/** Connects the signals to the world. Called once. */
export function start(): void {
  follow('api/v1/live', take, (now) => {
    link.value = now;
  });
  window.addEventListener('hashchange', () => {
    tab.value = tabOfFragment();
  });
  effect(() => {
    if (tab.value !== tabOfFragment()) history.replaceState(null, '', `#${tab.value}`);
  });
  effect(() => {
    const root = document.documentElement;
    if (theme.value === 'system') delete root.dataset.theme;
    else root.dataset.theme = theme.value;
    try {
      if (theme.value === 'system') localStorage.removeItem(THEME_KEY);
      else localStorage.setItem(THEME_KEY, theme.value);
    } catch {
      // Storage may be forbidden; the choice then lasts as long as the page.
    }
  });
  effect(() => {
    const now = view.value;
    if (!now) return;
    const load = active.value ? ` · ${rate(now.stats.total.current_rps)} RPS` : '';
    document.title = `${now.state}${load} – swarm`;
  });
}
