// Asks for a stream as `fetch` does, by the connection that all windows of this browser share (stream_worker.js): over
// HTTP/1.1 a browser opens six connections to one server, and a seventh window would wait for ever.
// Without SharedWorker, each window has a connection of its own.

const WORKER = new URL("stream_worker.js", import.meta.url);
const HERE_EVERY = 5_000; // ms, well below what the worker takes for a crash

let canShare = "SharedWorker" in window;

// `no-store` since Firefox holds back a request whose URL another window is being answered for: it may come to be cached.
const fetchAlone = (view, request) => fetch(view, { ...request, cache: "no-store" });

export function streamBy(url) {
  return async (view, request) => {
    if (!canShare) return fetchAlone(view, request);
    try {
      return await fetchShared(url, view, request.signal);
    } catch (error) {
      if (canShare) throw error;
      return fetchAlone(view, request);
    }
  };
}

// Each request has its own port. A worker that crashed is started again by the next one.
function fetchShared(url, view, signal) {
  return new Promise((resolve, reject) => {
    const worker = connect(url);
    const { port } = worker;
    const encoder = new TextEncoder();
    const here = setInterval(() => port.postMessage(["here"]), HERE_EVERY);
    let body = null;
    let isOver = false;

    function end() {
      if (isOver) return false;
      isOver = true;
      clearInterval(here);
      port.postMessage(["leave"]);
      port.close();
      return true;
    }

    const messages = {
      open() {
        const source = { start: (controller) => (body = controller), cancel: end };
        resolve(new Response(new ReadableStream(source), { headers: { "Content-Type": "text/event-stream" } }));
      },
      text: (text) => body.enqueue(encoder.encode(text)),
      end: () => end() && body.close(),
      lost: () => end() && reject(new TypeError("the server cannot be reached")),
      refused(status, retryAfter) {
        end();
        const headers = retryAfter === null ? {} : { "Retry-After": retryAfter };
        resolve(new Response(status === 204 || status === 304 ? null : "", { status, headers }));
      },
    };
    port.onmessage = ({ data: [name, ...values] }) => {
      if (!isOver) messages[name](...values);
    };
    worker.onerror = () => {
      canShare = false;
      if (end()) body ? body.close() : reject(new TypeError("the worker cannot be started"));
    };
    signal.addEventListener("abort", () => {
      if (!end()) return;
      if (body) body.error(signal.reason);
      else reject(signal.reason);
    });
    port.postMessage(["watch", view]);
  });
}

function connect(url) {
  try {
    return new SharedWorker(WORKER, { name: url });
  } catch (error) {
    canShare = false; // as where a browser is set to store nothing
    throw error;
  }
}
