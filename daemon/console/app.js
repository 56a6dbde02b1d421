// The console: which page is shown, and what is around it. A page is {title, role?, load, show}: load
// asks the gateway, show makes elements of the answer.
import {element} from './element.js';
import {LANGUAGES, currentLanguage, t, useLanguage} from './text.js';
import {follow, may, readSession, session, signOut, unfollow, whenSignedOut} from './server.js';
import {showSignIn} from './sign_in.js';
import {overview} from './overview.js';
import {studies} from './studies.js';
import {queue} from './queue.js';
import {reviews} from './reviews.js';
import {worklist} from './worklist.js';
import {devices} from './devices.js';
import {audit} from './audit.js';
import {keys} from './keys.js';

const PAGES = {overview, studies, queue, reviews, worklist, devices, audit, keys};
const state = {overview: null, lost: false, turn: 0};
const live = element('p', {class: 'away', role: 'status'});

const place = () => {
  const [name, ...rest] = location.hash.replace(/^#\/?/, '').split('/');
  return {name: name in PAGES ? name : 'overview', rest};
};

function languageChoice() {
  const choice = element('select', {'aria-label': t('language'), 'data-key': 'language', onchange: async () => {
    await useLanguage(choice.value);
    draw();
  }}, Object.entries(LANGUAGES).map(([tag, name]) => element('option', {value: tag, lang: tag, selected: tag === currentLanguage()}, name)));
  return choice;
}

function countOf(name) {
  const facts = state.overview ?? {};
  const waits = {queue: (facts.parked ?? 0) + (facts.letters ?? 0), reviews: facts.reviews ?? 0}[name];
  return waits ? element('span', {class: 'count'}, element('span', {class: 'away'}, ` ${t('nav_waiting')} `), String(waits)) : null;
}

function header() {
  const here = place().name;
  const links = Object.entries(PAGES).filter(([, page]) => may(page.role ?? 'viewer')).map(([name]) =>
    element('li', {}, element('a', {href: `#/${name}`, 'data-key': `nav-${name}`, 'aria-current': name === here ? 'page' : null}, t(`nav_${name}`), countOf(name))));
  return element('header', {class: 'top'},
    element('a', {class: 'skip', href: '#content', onclick: (event) => { event.preventDefault(); document.querySelector('h1')?.focus(); }}, t('skip')),
    element('div', {class: 'row'},
      element('span', {class: 'brand'}, element('img', {src: 'icon.svg', alt: ''}), session.site ?? ''),
      languageChoice(),
      session.signed_in && element('span', {class: 'small quiet'}, `${session.name} · ${t(`role_${session.role}`)}`),
      session.signed_in && element('button', {type: 'button', onclick: leave}, t('sign_out'))),
    session.signed_in && element('nav', {'aria-label': t('pages')}, element('ul', {}, links)));
}

async function leave() {
  unfollow();
  await signOut();
  draw();
}

/** Puts the new elements in place; what had the focus keeps it. */
function put(main, byPage) {
  const focused = document.activeElement?.dataset?.key;
  const top = window.scrollY;
  document.body.replaceChildren(header(), ...(state.lost ? [element('p', {class: 'notice attention', role: 'alert'}, t('lost'))] : []), main, live);
  if (byPage || focused) {
    window.scrollTo(0, top);
    if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }
}

/** Whether somebody is in the middle of something that must not be taken away. */
const isBusy = () => document.activeElement?.closest('main form') || document.querySelector('main [data-dirty]');

async function draw(byPage = false) {
  const turn = ++state.turn;
  if (!session.signed_in) {
    document.title = `${t('sign_in')} – ${session.site ?? ''}`;
    return put(showSignIn(arrive), false);
  }
  const {name, rest} = place();
  const page = PAGES[name];
  document.title = `${t(page.title)} – ${session.site}`;
  let shown;
  try {
    shown = page.show(await page.load(rest, byPage, state), {rest, redraw: () => draw(), say});
  } catch (refused) {
    if (!session.signed_in) return undefined;
    shown = [element('h1', {tabindex: -1}, t(page.title)), element('p', {class: 'notice bad', role: 'alert'}, t('failed', {why: refused.message}))];
  }
  if (turn !== state.turn) return undefined;
  put(element('main', {id: 'content'}, shown), byPage);
  return undefined;
}

/** For ears as well as eyes. */
function say(text) {
  live.textContent = '';
  requestAnimationFrame(() => { live.textContent = text; });
}

async function enter() {
  follow((facts) => {
    const before = state.overview?.headline;
    Object.assign(state, {overview: facts, lost: false});
    if (before && before !== facts.headline) say(t(`headline_${facts.headline}`, {count: facts.waiting ?? 0}));
    if (!isBusy()) draw(true);
  }, () => {
    if (!state.lost) { state.lost = true; if (!isBusy()) draw(true); }
  });
  await draw();
}

/** Somebody has just signed in: on with the page they came for. */
async function arrive() {
  await enter();
  document.querySelector('h1')?.focus();
}

window.addEventListener('hashchange', async () => {
  await draw();
  window.scrollTo(0, 0);
  document.querySelector('h1')?.focus();
});
whenSignedOut(() => { unfollow(); readSession().then(() => draw()); });

await useLanguage();
await readSession();
if (session.signed_in) await enter();
else await draw();
