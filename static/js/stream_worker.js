// The connection that all windows of one browser share: a SharedWorker, named by the URL of the stream of many views.
//
// A window watches one view, by the URL of its own stream. Whenever a window comes, a new connection is opened for all
// views that are watched then, and the one before is closed once the new one is open: an answer that refuses the newcomer
// ends nothing for the others, and a window shows as live only what the server has just confirmed.
// Unnamed events belong to the view that the last event `view` named, at first to the first; all others are for every
// window.

const MOST_VIEWS = 32; // of one connection, as the server has it
const LONGEST_URL = 7_000; // characters: proxies refuse request lines of more than 8 kB
const MOST_CONNECTIONS = 4; // a browser opens six to one server over HTTP/1.1, and pages need some for other requests
const JOIN_WAIT = 50; // ms in which windows that come together are served together
const LEAVE_WAIT = 1_000; // ms until a view that is no longer watched is left out: another window often comes at once
const SILENCE = 30_000; // ms after which a window that no longer says that it is there counts as gone: it crashed

const connections = new Set();

const isEventStream = (response) => response?.ok && response.headers.get("Content-Type")?.includes("text/event-stream");

class Connection {
  constructor() {
    this.windows = new Set(); // {port, view, isOpen, seenAt}
    this.views = []; // of the request that is open
    this.open = null; // AbortController of the request that delivers
    this.next = null; // and of the one that is to replace it
    this.timer = 0;
    this.due = Infinity; // when the timer fires
  }

  watched(more = []) {
    return [...new Set([...this.windows].map(({ view }) => view).concat(more))];
  }

  hasRoom(view) {
    const views = this.watched([view]);
    return views.length === 1 || (views.length <= MOST_VIEWS && urlOf(views).length <= LONGEST_URL);
  }

  join(one) {
    this.windows.add(one);
    this.renewIn(this.windows.size === 1 ? 0 : JOIN_WAIT);
  }

  leave(one) {
    this.windows.delete(one);
    if (this.windows.size) {
      this.renewIn(LEAVE_WAIT);
      return;
    }
    clearTimeout(this.timer);
    this.open?.abort();
    this.next?.abort();
    this.open = this.next = null;
    connections.delete(this);
  }

  dismiss(one, ...message) {
    one.port.postMessage(message);
    this.leave(one);
  }

  renewIn(wait) {
    if (this.due <= Date.now() + wait) return;
    clearTimeout(this.timer);
    this.due = Date.now() + wait;
    this.timer = setTimeout(() => {
      this.due = Infinity;
      this.renew();
    }, wait);
  }

  async renew() {
    this.next?.abort();
    this.next = null;
    const views = this.watched();
    const isWaitedFor = [...this.windows].some(({ isOpen }) => !isOpen);
    if (!isWaitedFor && this.views.every((view) => views.includes(view))) return;
    const request = (this.next = new AbortController());
    let response = null;
    try {
      response = await fetch(urlOf(views), { cache: "no-store", signal: request.signal });
    } catch {
      // Without a response, the server is lost.
    }
    if (this.next !== request) return; // another one was begun since
    this.next = null;
    if (!isEventStream(response)) {
      request.abort();
      this.refuse(views, response);
      return;
    }
    this.open?.abort();
    this.open = request;
    this.views = views;
    await this.deliver(response, request);
  }

  waiting(views) {
    return [...this.windows].filter(({ isOpen, view }) => !isOpen && views.includes(view));
  }

  refuse(views, response) {
    for (const one of this.waiting(views)) {
      if (!response) this.dismiss(one, "lost");
      else this.dismiss(one, "refused", response.status, response.headers.get("Retry-After"));
    }
  }

  async deliver(response, request) {
    for (const one of this.waiting(this.views)) {
      one.isOpen = true;
      one.port.postMessage(["open"]);
    }
    this.renewIn(LEAVE_WAIT); // the windows of these views may be closed by now
    try {
      for await (const [view, text] of events(response.body.getReader(), this.views)) {
        if (this.open !== request) return;
        for (const one of this.windows) {
          if (one.isOpen && (view === null || view === one.view)) one.port.postMessage(["text", text]);
        }
      }
    } catch {
      // A connection that breaks ends as one that is closed.
    }
    if (this.open !== request) return;
    this.open = null;
    this.views = [];
    for (const one of this.windows) if (one.isOpen) this.dismiss(one, "end");
  }
}

function urlOf(views) {
  return `${self.name}?${new URLSearchParams(views.map((view) => ["view", view]))}`;
}

// Each event as it was sent, with the view that it belongs to: null for those that every window is to have.
async function* events(reader, views) {
  const decoder = new TextDecoder();
  let rest = "";
  let [current] = views;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const [, number] = block.match(/^event: view\ndata: (\d+)$/) ?? [];
      if (number) current = views[number];
      else yield [block.startsWith("event: ") ? null : current, `${block}\n\n`];
    }
  }
}

function connectionFor(view) {
  for (const connection of connections) if (connection.hasRoom(view)) return connection;
  if (connections.size >= MOST_CONNECTIONS) return null;
  const connection = new Connection();
  connections.add(connection);
  return connection;
}

self.onconnect = ({ ports: [port] }) => {
  const one = { port, view: "", isOpen: false, seenAt: Date.now() };
  let connection = null;
  const messages = {
    watch(view) {
      one.view = view;
      connection = connectionFor(view);
      if (connection) connection.join(one);
      else port.postMessage(["refused", 429, null]);
    },
    here() {
      one.seenAt = Date.now();
    },
    leave() {
      if (connection?.windows.has(one)) connection.leave(one);
      port.close();
    },
  };
  port.onmessage = ({ data: [name, ...values] }) => messages[name](...values);
};

setInterval(() => {
  for (const connection of connections) {
    for (const one of connection.windows) {
      if (Date.now() - one.seenAt > SILENCE) connection.dismiss(one, "end");
    }
  }
}, SILENCE / 3);
