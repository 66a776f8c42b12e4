import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import './style/base.css';
import './style/layout.css';
import './style/parts.css';
import './style/table.css';
import { start } from './model/store';
import { App } from './parts/App';

start();
render(<App />, document.getElementById('app')!);
