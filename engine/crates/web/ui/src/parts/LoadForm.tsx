import { useSignal } from '@preact/signals';
import type { ComponentChildren, TargetedSubmitEvent } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { swarm } from '../model/command';
import { count, runTime } from '../model/format';
import { dialog, view } from '../model/store';

/** What is in the middle of the page before the first test. */
export function StartPage() {
  const now = view.value;
  const workers = now?.workers.length ?? 0;
  const classes = now?.classes.map((one) => one.name) ?? [];
  return (
    <main class="start">
      <div class="card">
        <h1>Start new load test</h1>
        <LoadForm edit={false} />
      </div>
      <p class="muted">
        {workers === 0
          ? 'No worker has joined yet.'
          : `${count(workers)} ${workers === 1 ? 'worker is' : 'workers are'} here.`}
        {classes.length > 0 && ` User classes: ${classes.join(', ')}.`}
      </p>
    </main>
  );
}

/** The same form over the results: for a new test, or to edit the running one. */
export function LoadDialog({ edit }: { edit: boolean }) {
  const element = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => element.current?.showModal(), []);
  const close = (): void => {
    dialog.value = 'none';
  };
  return (
    <dialog
      class="card"
      ref={element}
      aria-labelledby={title}
      onClose={close}
      onClick={(event) => event.target === element.current && close()}
    >
      <h1 id={title}>{edit ? 'Edit running load test' : 'Start new load test'}</h1>
      <LoadForm edit={edit} onDone={close} />
    </dialog>
  );
}

function LoadForm({ edit, onDone }: { edit: boolean; onDone?: () => void }) {
  const busy = useSignal(false);
  const problem = useSignal<string | null>(null);
  // The form keeps what is typed: it starts from the view of the moment it opened.
  const from = useRef(view.peek());
  const now = from.current;

  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const text = (name: string): string => String(data.get(name) ?? '').trim();
    busy.value = true;
    problem.value = null;
    const answer = await swarm({
      user_count: text('user_count'),
      spawn_rate: text('spawn_rate'),
      run_time: text('run_time'),
      ...(edit ? {} : { host: text('host') }),
    });
    busy.value = false;
    if (answer.success) onDone?.();
    else problem.value = answer.message;
  };

  return (
    <form class="load" onSubmit={submit}>
      <div class="pair">
        <Field label="Number of users" hint="Users at the peak">
          {(ids) => (
            <input
              {...ids}
              name="user_count"
              type="number"
              min="1"
              max="10000000"
              step="1"
              required
              autofocus
              defaultValue={String(now?.target_users || 1)}
            />
          )}
        </Field>
        <Field label="Spawn rate" hint="Users started a second">
          {(ids) => (
            <input
              {...ids}
              name="spawn_rate"
              type="number"
              min="0"
              step="any"
              required
              defaultValue={String(now?.spawn_rate || 1)}
            />
          )}
        </Field>
      </div>
      {!edit && (
        <Field label="Host" hint="Address under test">
          {(ids) => (
            <input
              {...ids}
              name="host"
              type="text"
              inputMode="url"
              spellcheck={false}
              autocomplete="off"
              placeholder="http://localhost:8080"
              defaultValue={now?.host ?? ''}
            />
          )}
        </Field>
      )}
      <details open={edit && now?.run_time_s != null}>
        <summary>Advanced options</summary>
        <Field label="Run time" hint="Like 300s, 20m or 1h30m; empty: until stopped">
          {(ids) => (
            <input
              {...ids}
              name="run_time"
              type="text"
              spellcheck={false}
              autocomplete="off"
              placeholder="until stopped"
              defaultValue={now?.run_time_s ? runTime(now.run_time_s) : ''}
            />
          )}
        </Field>
      </details>
      {problem.value !== null && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
      <div class="buttons">
        {onDone && (
          <button type="button" onClick={onDone}>
            Cancel
          </button>
        )}
        <button type="submit" class="primary" disabled={busy.value}>
          {edit ? 'Update' : 'Start swarming'}
        </button>
      </div>
    </form>
  );
}

interface FieldIds {
  id: string;
  'aria-describedby': string;
}

function Field(props: {
  label: string;
  hint: string;
  children: (ids: FieldIds) => ComponentChildren;
}) {
  const id = useId();
  const hint = `${id}-hint`;
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      {props.children({ id, 'aria-describedby': hint })}
      <small id={hint}>{props.hint}</small>
    </div>
  );
}
