// How numbers are written. Every function is pure; none depends on the reader's locale, so that
// two people who look at one test read the same figures.

const THIN = '\u202f';

/** A whole number with groups of three: `1 234 567`. */
export function count(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = Math.abs(Math.round(value)).toString();
  const grouped = digits.replace(/\B(?=(\d{3})+$)/g, THIN);
  return Math.round(value) < 0 ? `−${grouped}` : grouped;
}

/** Milliseconds to three figures below 100, whole above; 0 without a sample is the caller's. */
export function ms(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  if (value < 0.9995) return value.toFixed(3);
  if (value < 9.995) return value.toFixed(2);
  if (value < 99.95) return value.toFixed(1);
  return count(value);
}

/** A rate a second: one decimal below 1000. */
export function rate(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return Math.abs(value) < 999.95 ? value.toFixed(1) : count(value);
}

/** A share from 0 to 1 in percent. Never rounds a few failures to 0 %, nor nearly all to 100 %. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return '–';
  if (share <= 0) return '0%';
  if (share >= 1) return '100%';
  const value = share * 100;
  if (value < 0.1) return '<0.1%';
  if (value > 99.9) return '>99.9%';
  return `${value.toFixed(1)}%`;
}

/** Failures by requests, 0 of nothing. */
export function failRatio(failures: number, requests: number): number {
  return requests === 0 ? 0 : failures / requests;
}

/** Bytes in binary units: `12.3 MiB`. */
export function bytes(value: number): string {
  if (!Number.isFinite(value) || value <= 0) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = value;
  let unit = 0;
  while (scaled >= 1023.95 && unit < units.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  return `${unit === 0 || scaled >= 99.95 ? scaled.toFixed(0) : scaled.toFixed(1)} ${units[unit]}`;
}

/** A length of time in seconds as a clock: `0:07`, `12:34`, `1:02:03`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => value.toString().padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A run time as the form takes it: `1h30m`, `45s`. */
export function runTime(seconds: number): string {
  const parts: [number, string][] = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  return parts.map(([value, unit]) => (value > 0 ? `${value}${unit}` : '')).join('');
}

/** Time of day of a Unix time, in the reader's zone: `14:03:09`. */
export function timeOfDay(unixMs: number): string {
  const date = new Date(unixMs);
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()];
  return parts.map((part) => part.toString().padStart(2, '0')).join(':');
}

/** A figure of unknown kind, to four figures. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Number.isInteger(value) || Math.abs(value) >= 9_999.5) return count(value);
  return Number(value.toPrecision(4)).toString();
}
