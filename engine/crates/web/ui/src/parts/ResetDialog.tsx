import { useSignal } from '@preact/signals';
import { reset } from '../model/command';
import { resetting, trouble } from '../model/store';
import { Dialog } from './Dialog';

/** Asks before the result of a finished test is forgotten. */
export function ResetDialog() {
  const busy = useSignal(false);
  const close = (): void => {
    resetting.value = false;
  };
  const forget = async (): Promise<void> => {
    busy.value = true;
    const answer = await reset();
    trouble.value = answer.success ? null : answer.message;
    close();
  };
  return (
    <Dialog title="Forget this result?" onClose={close}>
      <p>
        The statistics of the finished test will be gone from here. Files that were asked for with
        --csv or --json-file, and those that were downloaded, stay as they are.
      </p>
      <div class="buttons">
        <button type="button" autofocus onClick={close}>
          Keep it
        </button>
        <button type="button" class="danger" disabled={busy.value} onClick={() => void forget()}>
          Forget it
        </button>
      </div>
    </Dialog>
  );
}
