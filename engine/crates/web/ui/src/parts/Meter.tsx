/** A bar for a share from 0 to 1; the number beside it says the same to those who cannot see it. */
export function Meter({ share, hot = false }: { share: number; hot?: boolean }) {
  const width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return (
    <span class={hot ? 'meter hot' : 'meter'} aria-hidden="true">
      <span style={{ width }} />
    </span>
  );
}
