// Counts what the service is asked, as the other services of the example do.

export class CallLog {
  endpoints = {};

  /** Counts one call that names `keys` ids. */
  arrived(endpoint, keys, headers) {
    const counted = (this.endpoints[endpoint] ??= {
      calls: 0,
      keys: 0,
      with_deadline: 0,
      last_timeout_ms: null,
      last_headers: {},
    });
    const timeout = headers.get("x-request-timeout-ms");
    counted.calls += 1;
    counted.keys += keys;
    counted.with_deadline += timeout === null ? 0 : 1;
    counted.last_timeout_ms = timeout === null ? null : Number(timeout);
    counted.last_headers = Object.fromEntries(headers);
  }

  reset() {
    this.endpoints = {};
  }
}
