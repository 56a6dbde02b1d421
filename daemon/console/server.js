// What the pages ask of the gateway, and the session they ask in.

/** Code and message as the gateway said them. */
export class Refused extends Error {
  constructor(status, code, message, retryAfter) {
    super(message);
    Object.assign(this, {status, code, retryAfter});
  }
}

export const session = {signed_in: false};
let onSignedOut = () => {};
export const whenSignedOut = (work) => { onSignedOut = work; };

async function send(method, path, body, byPage) {
  const headers = {};
  if (method === 'POST') Object.assign(headers, {'Content-Type': 'application/json', 'X-CSRF-Token': session.csrf ?? ''});
  if (byPage) headers['X-Reload'] = 'page';
  const answer = await fetch(`api/${path}`, {method, headers, body: body && JSON.stringify(body), credentials: 'same-origin'});
  const document = await answer.json().catch(() => ({}));
  if (answer.ok) return document;
  if (answer.status === 401 && path !== 'sign-in') {
    session.signed_in = false;
    onSignedOut();
  }
  throw new Refused(answer.status, document.error?.code, document.error?.message, Number(answer.headers.get('Retry-After')));
}

export const get = (path, byPage = false) => send('GET', path, null, byPage);
export const post = (path, body) => send('POST', path, body, false);

export async function readSession() {
  Object.assign(session, {name: undefined, role: undefined}, await get('session'));
}
export async function signIn(name, password) {
  Object.assign(session, await post('sign-in', {name, password}));
}
export async function signOut() {
  await post('sign-out', {}).catch(() => {});
  await readSession();
}

const RANKS = ['viewer', 'operator', 'admin'];
export const may = (role) => RANKS.indexOf(session.role) >= RANKS.indexOf(role);

let source = null;
/** `take(overview)` whenever it changed, for as long as the session lives; `lost` when the line is broken. */
export function follow(take, lost) {
  source?.close();
  source = new EventSource('api/events');
  source.addEventListener('overview', (event) => take(JSON.parse(event.data)));
  source.addEventListener('ended', () => { source.close(); session.signed_in = false; onSignedOut(); });
  source.onerror = () => lost();
}
export function unfollow() {
  source?.close();
  source = null;
}
