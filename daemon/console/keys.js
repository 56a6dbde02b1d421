import {element, table} from './element.js';
import {moment, t, tOr} from './text.js';
import {get} from './server.js';

function daysLeft(row) {
  if (row.days_left === null) return element('span', {class: 'tag bad', lang: 'en'}, row.problem);
  const level = row.days_left < 0 ? 'bad' : row.days_left < 30 ? 'attention' : 'good';
  return element('span', {class: `tag ${level}`}, row.days_left < 0 ? t('ended') : t('days', {count: row.days_left}));
}

export const keys = {
  title: 'nav_keys',
  role: 'admin',
  load: async (rest, byPage) => ({
    slots: (await get('keys', byPage)).slots,
    certificates: (await get('certificates', byPage)).certificates,
    accounts: (await get('accounts', byPage)).accounts,
  }),
  show: ({slots, certificates, accounts}) => [
    element('h1', {tabindex: -1}, t('nav_keys')),
    element('h2', {}, t('certificates')),
    table(t('certificates'), [t('used_for'), t('subject'), t('ends'), t('days_left')],
      certificates.map((row) => [[element('strong', {}, row.key), element('div', {class: 'quiet small'}, row.file)], row.subject, row.ends, daysLeft(row)])),
    element('h2', {}, t('key_slots')),
    element('p', {class: 'quiet'}, t('key_slots_note')),
    table(t('key_slots'), [t('kind'), t('label'), t('since'), t('state')],
      slots.map((slot) => [tOr(`slot_${slot.kind}`, slot.kind), slot.label || '–', moment(slot.created), slot.opened && element('span', {class: 'tag good'}, t('opened_by'))])),
    element('h2', {}, t('accounts')),
    table(t('accounts'), [t('name'), t('role'), t('since')], accounts.map((one) => [one.name, t(`role_${one.role}`), moment(one.created_at)])),
  ],
};
