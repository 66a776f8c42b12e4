import { dialog, fresh, link, resetting, tab, view } from '../model/store';
import { Banners } from './Banners';
import { Charts } from './Charts';
import { Downloads } from './Downloads';
import { Exceptions } from './Exceptions';
import { Failures } from './Failures';
import { Footer } from './Footer';
import { LoadDialog, StartPage } from './LoadForm';
import { Metrics } from './Metrics';
import { Navbar } from './Navbar';
import { Ratio } from './Ratio';
import { ResetDialog } from './ResetDialog';
import { Statistics } from './Statistics';
import { Tabs } from './Tabs';
import { Trouble } from './Trouble';
import { Workers } from './Workers';

/** Only the part of the open tab exists, so hidden tabs cost nothing. */
const PANELS = {
  statistics: Statistics,
  charts: Charts,
  failures: Failures,
  exceptions: Exceptions,
  ratio: Ratio,
  metrics: Metrics,
  workers: Workers,
  download: Downloads,
};

export function App() {
  if (!view.value) return <Waiting />;
  return (
    <>
      <Navbar />
      <Banners />
      {fresh.value ? <StartPage /> : <Results />}
      {dialog.value !== 'none' && <LoadDialog key={dialog.value} edit={dialog.value === 'edit'} />}
      {resetting.value && <ResetDialog />}
      <Trouble />
    </>
  );
}

function Results() {
  const Panel = PANELS[tab.value];
  return (
    <main class="results">
      <Tabs />
      <section
        class={`panel panel-${tab.value}`}
        role="tabpanel"
        id="panel"
        aria-labelledby={`tab-${tab.value}`}
        key={tab.value}
      >
        <Panel />
      </section>
      <Footer />
    </main>
  );
}

function Waiting() {
  const lost = link.value === 'lost';
  return (
    <main class="waiting" aria-live="polite">
      {lost ? 'The master cannot be reached. Trying again…' : 'Connecting…'}
    </main>
  );
}
