import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

/** A box over the page: closed by Escape, by a click beside it, or by what is in it. */
export function Dialog(props: { title: string; onClose: () => void; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => element.current?.showModal(), []);
  return (
    <dialog
      class="card"
      ref={element}
      aria-labelledby={title}
      onClose={props.onClose}
      onClick={(event) => event.target === element.current && props.onClose()}
    >
      <h1 id={title}>{props.title}</h1>
      {props.children}
    </dialog>
  );
}
