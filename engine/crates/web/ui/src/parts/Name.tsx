/** A name in full; a line ends where a part of a path or query does, if it can. */
export function Name({ text }: { text: string }) {
  const parts = text.split(/(?<=[/?&=›])/);
  return <>{parts.flatMap((part, at) => (at === 0 ? [part] : [<wbr key={at} />, part]))}</>;
}
