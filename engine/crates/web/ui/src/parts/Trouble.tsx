import { trouble } from '../model/store';
import { Icon } from './Icon';

/** Why the last command did not work, until it is closed. */
export function Trouble() {
  if (trouble.value === null) return null;
  return (
    <div class="trouble" role="alert">
      <span>{trouble.value}</span>
      <button
        type="button"
        class="icon-button"
        aria-label="Close"
        onClick={() => (trouble.value = null)}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}
