// The "Query plan" panel: asks for the plan while it is open and shows the last one.
import { useEffect, useSyncExternalStore } from 'react';

const HEADER = 'Apollo-Expose-Query-Plan';

/** Make the panel's plugin and the fetcher that feeds it. */
export function createQueryPlan(fetcher) {
  const store = createStore({ isOpen: false, plan: null });
  return {
    plugin: {
      title: 'Query plan',
      icon: QueryPlanIcon,
      content: () => <QueryPlanPanel store={store} />,
    },
    fetcher: watchPlans(fetcher, store),
  };
}

function QueryPlanPanel({ store }) {
  const { plan } = useSyncExternalStore(store.subscribe, store.get);
  useEffect(() => {
    store.set({ isOpen: true });
    return () => store.set({ isOpen: false });
  }, [store]);
  return (
    <section className="query-plan" aria-label="Query plan">
      <div className="graphiql-doc-explorer-title">Query plan</div>
      {plan ? (
        <pre>{plan}</pre>
      ) : (
        <p>Run an operation while this panel is open to see which subgraphs answer it.</p>
      )}
    </section>
  );
}

function QueryPlanIcon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden>
      <rect x="8" y="2" width="8" height="5" rx="1" />
      <rect x="2" y="17" width="8" height="5" rx="1" />
      <rect x="14" y="17" width="8" height="5" rx="1" />
      <path d="M12 7v5M6 17v-5h12v5" />
    </svg>
  );
}

function watchPlans(fetcher, store) {
  return async (params, options) => {
    if (params.operationName === 'IntrospectionQuery') {
      return fetcher(params, options);
    }
    const { isOpen } = store.get();
    store.set({ plan: null });
    const headers = { ...options?.headers, ...(isOpen && { [HEADER]: 'true' }) };
    const result = await fetcher(params, { ...options, headers });
    const note = (payload) => {
      const plan = findPlan(payload);
      if (plan) {
        store.set({ plan });
      }
    };
    if (result?.[Symbol.asyncIterator]) {
      return tapped(result[Symbol.asyncIterator](), note);
    }
    note(result);
    return result;
  };
}

// Not an async generator: its `return` would wait for the next event of a subscription.
function tapped(iterator, note) {
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const step = await iterator.next();
      note(step.value);
      return step;
    },
    async return(value) {
      return (await iterator.return?.(value)) ?? { done: true, value };
    },
  };
}

function findPlan(payload) {
  for (const { extensions } of [payload].flat().filter(Boolean)) {
    const plan = extensions?.apolloQueryPlan ?? extensions?.queryPlan;
    if (plan) {
      const text = plan.text ?? plan;
      return typeof text === 'string' ? text : JSON.stringify(text, null, 2);
    }
  }
  return null;
}

function createStore(state) {
  const listeners = new Set();
  return {
    get: () => state,
    set: (change) => {
      state = { ...state, ...change };
      listeners.forEach((listener) => listener());
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
