import {element, table} from './element.js';
import {moment, t} from './text.js';
import {get} from './server.js';

const PAGES_MAX = 4;
const DAY = 86400000;
const asked = {since: new Date(Date.now() - DAY).toISOString().slice(0, 10), until: '', patient: '', actor: ''};

/** Newest first; up to four pages of 500. */
async function search(byPage) {
  const wanted = {since: asked.since && new Date(asked.since).toISOString(), until: asked.until && new Date(Date.parse(asked.until) + DAY).toISOString(), patient: asked.patient.trim(), actor: asked.actor.trim()};
  const events = [];
  let next = '';
  for (let pages = 0; pages < PAGES_MAX && next !== null; ++pages) {
    const query = Object.entries({...wanted, after: next}).filter(([, value]) => value).map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&');
    const page = await get(`audit?${query}`, byPage);
    events.push(...page.events);
    next = page.next;
  }
  return {events: events.reverse(), more: next !== null};
}

const entities = (event) => [...new Set((event.entity ?? []).map((one) => one.what.reference ?? one.what.display))].join(', ');
const row = (event) => [moment(event.recorded), event.agent[0].who.display, event.subtype[0].code, entities(event), event.agent[0].network?.address ?? '–',
  element('span', {class: `tag ${event.outcome === '0' ? 'plain' : 'bad'}`}, event.outcomeDesc ?? '–')];

function filter(redraw) {
  const field = (name, type) => element('div', {class: 'field'}, element('label', {for: `audit-${name}`}, t(`audit_${name}`)),
    element('input', {id: `audit-${name}`, name, type, value: asked[name], autocomplete: 'off'}));
  const submit = (event) => {
    event.preventDefault();
    for (const name of Object.keys(asked)) asked[name] = event.target.elements[name].value;
    redraw();
  };
  return element('form', {class: 'filter', role: 'search', onsubmit: submit},
    field('since', 'date'), field('until', 'date'), field('actor', 'text'), field('patient', 'text'),
    element('button', {type: 'submit', class: 'first', 'data-key': 'audit-search'}, t('search')));
}

export const audit = {
  title: 'nav_audit',
  role: 'admin',
  load: async (rest, byPage) => search(byPage),
  show: ({events, more}, page) => [
    element('h1', {tabindex: -1}, t('nav_audit')),
    filter(page.redraw),
    element('p', {class: 'quiet', role: 'status'}, t('audit_found', {count: events.length}), more ? ` ${t('audit_more')}` : ''),
    events.length > 0 && table(t('nav_audit'), [t('when'), t('who'), t('did'), t('on'), t('from'), t('outcome')], events.map(row)),
  ].filter(Boolean),
};
