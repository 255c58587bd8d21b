// GraphiQL for the gateway: examples as tabs, explorer, docs, query plan, subscriptions.
import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import './style.css';

import { explorerPlugin } from '@graphiql/plugin-explorer';
import { createGraphiQLFetcher, createLocalStorage } from '@graphiql/toolkit';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';

import { createQueryPlan } from './queryPlan.jsx';
import { makeTabs, printObject, readSettings } from './settings.js';

async function start(root) {
  const settings = await readSettings(root.dataset);
  const queryPlan = createQueryPlan(
    createGraphiQLFetcher({
      url: settings.endpoint,
      subscriptionUrl: settings.subscriptionEndpoint,
    }),
  );
  document.title = settings.title;
  createRoot(root).render(
    <GraphiQL
      fetcher={queryPlan.fetcher}
      plugins={[HISTORY_PLUGIN, explorerPlugin(), queryPlan.plugin]}
      storage={createLocalStorage({ namespace: `graphgw:${settings.endpoint}` })}
      defaultTabs={makeTabs(settings)}
      defaultHeaders={printObject(settings.headers)}
    >
      <GraphiQL.Logo>{settings.title}</GraphiQL.Logo>
    </GraphiQL>,
  );
}

const root = document.getElementById('root');
start(root).catch((error) => {
  root.textContent = `GraphiQL could not start: ${error.message}`;
});
