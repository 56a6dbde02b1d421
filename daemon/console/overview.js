import {element, sign} from './element.js';
import {ago, moment, t, tOr} from './text.js';
import {get} from './server.js';

function fact(name, value, detail) {
  return element('div', {class: 'sheet'}, element('dt', {}, name), element('dd', {}, value), detail && element('dd', {class: 'detail'}, detail));
}

function facts(seen) {
  const waiting = seen.waiting ?? null;
  const needs = seen.alarms.length;
  return element('dl', {class: 'facts'},
    fact(t('fact_link'), t(`link_${seen.link.state}`), seen.link.down.length ? t('link_without', {names: seen.link.down.join(', ')}) : t('link_detail')),
    fact(t('fact_waiting'), waiting === null ? t('unknown') : t('things', {count: waiting}),
      seen.oldest_age_s ? t('oldest', {when: ago(new Date(Date.now() - seen.oldest_age_s * 1000).toISOString())}) : t('nothing_waits')),
    fact(t('fact_success'), seen.last_success ? ago(seen.last_success) : t('never'), seen.last_success ? moment(seen.last_success) : t('success_detail')),
    fact(t('fact_alarms'), needs ? t('alarms', {count: needs}) : t('no_alarms'), needs ? t('see_below') : t('all_well')));
}

const PLACES = {parked: 'queue', letters: 'queue', criticals: 'queue', reviews: 'reviews', not_open: null, link: 'queue', limit: 'devices', device: 'devices'};

function alarm(one) {
  const text = t(`alarm_${one.code}`, {count: one.count, name: tOr(`part_${one.component}`, one.component)});
  const goes = PLACES[one.code];
  return element('li', {class: 'sheet item'},
    element('div', {class: 'grow'}, element('h3', {}, text), one.text && element('p', {class: 'quiet small', lang: 'en'}, one.text)),
    goes && element('a', {href: `#/${goes}`, 'data-key': `alarm-${one.code}-${one.component}`}, t(`go_${goes}`)));
}

export const overview = {
  title: 'nav_overview',
  load: async (rest, byPage, state) => (byPage && state.overview) || get('overview', byPage),
  show: (seen) => [
    element('section', {class: `headline ${seen.level}`, 'aria-labelledby': 'headline'}, sign(seen.level),
      element('div', {}, element('h1', {id: 'headline', tabindex: -1}, t(`headline_${seen.headline}`, {count: seen.waiting ?? 0})),
        element('p', {}, t(`meaning_${seen.headline}`)))),
    facts(seen),
    seen.alarms.length > 0 && [element('h2', {}, t('to_look_at')), element('ul', {}, seen.alarms.map(alarm))],
  ].flat().filter(Boolean),
};
