import { Icon } from './Icon';

const FILES: [href: string, name: string, what: string][] = [
  ['stats/requests/csv', 'Request statistics (CSV)', 'One line a name, with all percentiles'],
  ['stats/failures/csv', 'Failures (CSV)', 'One line a kind of failure'],
  ['exceptions/csv', 'Exceptions (CSV)', 'With backtraces and the workers that saw them'],
  ['api/v1/view', 'Everything (JSON)', 'All of the above, seconds, workers and metrics'],
];

export function Downloads() {
  return (
    <ul class="downloads">
      {FILES.map(([href, name, what]) => (
        <li key={href}>
          <a href={href} download={href.endsWith('view') ? 'swarm.json' : ''}>
            <Icon name="download" />
            <span>
              <strong>{name}</strong>
              <small>{what}</small>
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}
