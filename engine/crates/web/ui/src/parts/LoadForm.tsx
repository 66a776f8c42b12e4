import { useSignal } from '@preact/signals';
import type { ComponentChildren, TargetedInputEvent, TargetedSubmitEvent } from 'preact';
import { useId, useRef } from 'preact/hooks';
import { swarm } from '../model/command';
import { count, runTime } from '../model/format';
import { active, dialog, view } from '../model/store';
import { workersThere } from '../model/verdict';
import { Dialog } from './Dialog';

/** What is in the middle of the page before the first test. */
export function StartPage() {
  const now = view.value;
  const workers = workersThere(now?.workers ?? []).length;
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
  const close = (): void => {
    dialog.value = 'none';
  };
  return (
    <Dialog title={edit ? 'Edit running load test' : 'Start new load test'} onClose={close}>
      <LoadForm edit={edit} onDone={close} />
    </Dialog>
  );
}

/** Said when the test began or ended while the form was open: what is typed stays. */
const MEANWHILE = {
  ended: 'The test has ended meanwhile. These values would start a new one.',
  begun: 'A test was started meanwhile, from elsewhere. These values would change that one.',
};

function LoadForm({ edit, onDone }: { edit: boolean; onDone?: () => void }) {
  const busy = useSignal(false);
  const problem = useSignal<string | null>(null);
  // The form keeps what is typed: it starts from the view of the moment it opened.
  const from = useRef(view.peek());
  const now = from.current;
  const classes = now?.classes ?? [];
  const changes = active.value;
  const meanwhile = edit === changes ? null : changes ? MEANWHILE.begun : MEANWHILE.ended;

  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const text = (name: string): string => String(data.get(name) ?? '').trim();
    const chosen = data.getAll('user_classes').map(String);
    if (!edit && classes.length > 1 && chosen.length === 0) {
      problem.value = 'Choose at least one user class.';
      return;
    }
    busy.value = true;
    problem.value = null;
    const answer = await swarm({
      user_count: text('user_count'),
      spawn_rate: text('spawn_rate'),
      run_time: text('run_time'),
      ...(edit || changes ? {} : { host: text('host') }),
      // All of them need not be named, and an edit keeps those of the test.
      ...(!edit && chosen.length < classes.length ? { user_classes: chosen } : {}),
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
              step="any"
              required
              onInput={checkRate}
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
        {!edit && classes.length > 1 && <Classes names={classes.map((one) => one.name)} />}
      </details>
      {meanwhile && (
        <p class="meanwhile" role="status">
          {meanwhile}
        </p>
      )}
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
          {changes ? 'Update' : edit ? 'Start new test' : 'Start swarming'}
        </button>
      </div>
    </form>
  );
}

/** As the server: a rate of 0 starts nobody. */
function checkRate({ currentTarget: input }: TargetedInputEvent<HTMLInputElement>): void {
  const wrong = input.value !== '' && !(Number(input.value) > 0);
  input.setCustomValidity(wrong ? 'The spawn rate must be above 0.' : '');
}

/** Which classes get users; all of them unless the reader takes some away. */
function Classes({ names }: { names: readonly string[] }) {
  return (
    <fieldset class="classes">
      <legend>User classes</legend>
      {names.map((name) => (
        <label key={name}>
          <input type="checkbox" name="user_classes" value={name} defaultChecked />
          {name}
        </label>
      ))}
    </fieldset>
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
