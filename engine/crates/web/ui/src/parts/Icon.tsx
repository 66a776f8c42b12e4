const PATHS = {
  // A disc half filled, a sun, a moon, a cross, an arrow into a tray, one out of a door.
  system: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM8 3v10A5 5 0 0 1 8 3Z',
  light:
    'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM7.3 1h1.4v2H7.3ZM7.3 13h1.4v2H7.3ZM1 7.3h2v1.4H1Z' +
    'M13 7.3h2v1.4h-2ZM2.6 3.6l1-1 1.4 1.4-1 1ZM11 12l1-1 1.4 1.4-1 1ZM11 4l1.4-1.4 1 1L12 5Z' +
    'M2.6 12.4 4 11l1 1-1.4 1.4Z',
  dark: 'M6.2 1.8a6.5 6.5 0 1 0 8 8A5.6 5.6 0 0 1 6.2 1.8Z',
  close: 'm3.4 2.4 4.6 4.6 4.6-4.6 1 1L9 8l4.6 4.6-1 1L8 9l-4.6 4.6-1-1L7 8 2.4 3.4Z',
  leave: 'M2 2h6.5v1.4H3.4v9.2h5.1V14H2Z' + 'M6 7.3h5.4L9.6 5.5l1-1L14 8l-3.4 3.5-1-1 1.8-1.8H6Z',
  download:
    'M7.3 1.5h1.4v7l2.4-2.4 1 1L8 11.2 3.9 7.1l1-1 2.4 2.4Z' + 'M2 10.5h1.4v2.6h9.2v-2.6H14v4H2Z',
};

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path fill="currentColor" fill-rule="evenodd" d={PATHS[name]} />
    </svg>
  );
}

/** One in the middle and six around: the page's own mark. */
export function Logo() {
  const around: [number, number][] = [
    [8, 11],
    [24, 11],
    [8, 21],
    [24, 21],
    [16, 6.5],
    [16, 25.5],
  ];
  return (
    <svg class="logo" viewBox="0 0 32 32" width="32" height="32" role="img" aria-label="swarm">
      <rect width="32" height="32" rx="7" />
      <circle cx="16" cy="16" r="3.4" />
      {around.map(([cx, cy]) => (
        <circle cx={cx} cy={cy} r="2.2" />
      ))}
    </svg>
  );
}
