import {element} from './element.js';
import {dicomTime, personName, t} from './text.js';
import {get} from './server.js';

const IDENTITY = {linked: null, provisional: 'plain', unassigned: 'attention', disputed: 'bad'};

function progress(study) {
  const label = t('progress', {count: study.instances, done: study.delivered});
  return [element('progress', {max: study.instances, value: study.delivered, 'aria-label': label}, label), element('p', {class: 'small'}, label)];
}

function study(one) {
  const identity = IDENTITY[one.identity];
  const facts = [one.modalities, dicomTime(one.date), one.accession && t('accession', {number: one.accession})].filter(Boolean);
  return element('li', {class: 'sheet item'},
    element('div', {class: 'grow'},
      element('h2', {}, personName(one.patient_name), ' ', one.patient_id && element('span', {class: 'quiet small whole'}, one.patient_id)),
      element('p', {}, one.description || t('no_description')),
      element('p', {class: 'quiet small'}, facts.join(' · ')),
      identity && element('p', {class: 'small'}, element('span', {class: `tag ${identity}`}, t(`identity_${one.identity}`)), ' ', element('span', {lang: 'en', class: 'quiet'}, one.identity_reason))),
    element('div', {class: 'side'}, progress(one),
      one.parked > 0 && element('p', {class: 'small'}, element('a', {href: '#/queue', class: 'tag bad'}, t('parked_images', {count: one.parked}))),
      one.performed && !one.performed.complete && element('p', {class: 'small quiet'}, t(one.performed.running ? 'still_scanning' : 'listed', {count: one.performed.listed, done: one.performed.held}))));
}

export const studies = {
  title: 'nav_studies',
  load: async (rest, byPage) => (await get('studies?limit=100', byPage)).studies,
  show: (list) => [
    element('h1', {tabindex: -1}, t('nav_studies')),
    list.length === 0 ? element('p', {class: 'quiet'}, t('no_studies')) : element('ul', {}, list.map(study)),
  ],
};
