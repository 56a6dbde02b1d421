import {element} from './element.js';
import {dicomTime, personName, t} from './text.js';
import {get, session} from './server.js';

// A page that is drawn again asks for no picture twice; who signs in after somebody else asks for all.
const kept = {pictures: new Map(), of: null};

function noPicture() {
  return element('p', {class: 'thumbnail quiet small'}, t('no_thumbnail'));
}

/** One image that stands for the study, looked for once it is in sight; a word where there is none. */
function picture(study, before) {
  const key = `${study.study_uid} ${study.instances}`;
  const made = before.get(key) ?? element('img', {class: 'thumbnail', loading: 'lazy', decoding: 'async', width: 80, height: 80,
    src: `api/studies/${encodeURIComponent(study.study_uid)}/thumbnail`,
    onerror: () => { const none = noPicture(); kept.pictures.set(key, none); made.replaceWith(none); }});
  if (made.tagName === 'IMG') made.alt = t('thumbnail');
  else made.textContent = t('no_thumbnail');
  kept.pictures.set(key, made);
  return made;
}

function pictures(list) {
  const before = kept.of === session.csrf ? kept.pictures : new Map();
  Object.assign(kept, {pictures: new Map(), of: session.csrf});
  return list.map((one) => picture(one, before));
}

const IDENTITY = {linked: null, provisional: 'plain', unassigned: 'attention', disputed: 'bad'};

function progress(study) {
  const label = t('progress', {count: study.instances, done: study.delivered});
  return [element('progress', {max: study.instances, value: study.delivered, 'aria-label': label}, label), element('p', {class: 'small'}, label)];
}

function study(one, shown) {
  const identity = IDENTITY[one.identity];
  const facts = [one.modalities, dicomTime(one.date), one.accession && t('accession', {number: one.accession})].filter(Boolean);
  return element('li', {class: 'sheet item'}, shown,
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
  show: (list) => {
    const shown = pictures(list);
    return [
      element('h1', {tabindex: -1}, t('nav_studies')),
      list.length === 0 ? element('p', {class: 'quiet'}, t('no_studies')) : element('ul', {}, list.map((one, i) => study(one, shown[i]))),
    ];
  },
};
