// Builds the page into ../dist, which the crate embeds.

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vite';

const dist = new URL('../dist', import.meta.url).pathname;

/** Writes the list of files that the crate includes: Rust then sees by itself when one changes. */
function rustTable() {
  return {
    name: 'rust-table',
    apply: 'build',
    closeBundle() {
      const files = readdirSync(dist, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name !== 'table.rs')
        .map((entry) => join(entry.parentPath, entry.name).slice(dist.length + 1))
        .sort();
      const rows = files.map(
        (path) =>
          `    Asset {\n        path: "${path}",\n` +
          `        bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/${path}")),\n` +
          '    },\n',
      );
      const head = '// Written by `npm run build` in `ui/`.\n';
      writeFileSync(join(dist, 'table.rs'), `${head}&[\n${rows.join('')}]\n`);
    },
  };
}

/** What is bundled wants its licence beside it. */
const BUNDLED = ['@preact/signals', '@preact/signals-core', 'preact', 'uplot'];

function licences() {
  return {
    name: 'licences',
    apply: 'build',
    generateBundle() {
      const texts = BUNDLED.map((name) => {
        const text = readFileSync(new URL(`node_modules/${name}/LICENSE`, import.meta.url), 'utf8');
        return `${name}\n\n${text.trim()}\n`;
      });
      const source = texts.join(`\n${'-'.repeat(80)}\n\n`);
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source });
    },
  };
}

export default defineConfig({
  // Relative links: the page may live under a path of its own.
  base: './',
  plugins: [licences(), rustTable()],
  build: {
    outDir: dist,
    emptyOutDir: true,
    target: 'es2022',
    // The oldest browsers with `light-dark()`.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    // The content security policy takes nothing inline.
    assetsInlineLimit: 0,
  },
  // While working on the page: `npm run dev` beside a running master or the preview example.
  server: {
    proxy: Object.fromEntries(
      ['/swarm', '/stop', '/stats', '/exceptions', '/tasks', '/api'].map((path) => [
        path,
        { target: process.env.SWARM_WEB ?? 'http://127.0.0.1:8089', changeOrigin: true },
      ]),
    ),
  },
  test: { include: ['test/**/*.test.ts'] },
});
