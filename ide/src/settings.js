// What the gateway tells the page: config.json, or attributes of the root element.

const DEFAULTS = {
  title: 'GraphiQL',
  endpoint: '/graphql',
  subscriptionEndpoint: null,
  headers: {},
  tabs: [],
};

/**
 * Read the settings that belong to the root element.
 *
 * `data-config` names a JSON document; `data-endpoint` overrides its endpoint.
 * Endpoints are resolved against the document (else the page), so they may be relative.
 */
export async function readSettings({ config, endpoint }) {
  const source = new URL(config ?? '', window.location.href);
  const settings = { ...DEFAULTS, ...(config && (await fetchJson(source))) };
  const { subscriptionEndpoint } = settings;
  return {
    ...settings,
    endpoint: new URL(endpoint ?? settings.endpoint, source).href,
    subscriptionEndpoint:
      subscriptionEndpoint && webSocketUrl(new URL(subscriptionEndpoint, source)),
  };
}

/** Turn the examples into GraphiQL's tabs; nothing leaves the choice to GraphiQL. */
export function makeTabs({ tabs, headers }) {
  if (tabs.length === 0) {
    return undefined;
  }
  return tabs.map((tab) => ({
    query: withTitle(tab),
    variables: printObject(tab.variables),
    headers: printObject({ ...headers, ...parseObject(tab.headers) }),
  }));
}

/** Print an object for an editor; an empty one is left out. */
export function printObject(value) {
  const object = parseObject(value);
  return Object.keys(object).length > 0 ? JSON.stringify(object, null, 2) : undefined;
}

function parseObject(value) {
  return (typeof value === 'string' && value ? JSON.parse(value) : value) || {};
}

// GraphiQL names a tab after its operation; the title goes above as a comment.
function withTitle({ title, query }) {
  return title && !query.trimStart().startsWith('#') ? `# ${title}\n${query}` : query;
}

async function fetchJson(url) {
  const response = await fetch(url, { headers: { accept: 'application/json' } });
  if (!response.ok) {
    throw new Error(`${url.pathname} answered ${response.status}`);
  }
  return response.json();
}

function webSocketUrl(url) {
  const socket = new URL(url);
  socket.protocol = url.protocol.replace('http', 'ws');
  return socket.href;
}
