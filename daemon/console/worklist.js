import {element, table} from './element.js';
import {dicomTime, personName, t, tOr} from './text.js';
import {get} from './server.js';

const row = (step) => [
  dicomTime(step.start_date, step.start_time),
  [element('strong', {}, personName(step.patient_name)), element('div', {class: 'quiet small'}, step.patient_id)],
  [step.description || '–', element('div', {class: 'quiet small'}, step.accession)],
  [step.modality, step.station && element('div', {class: 'quiet small'}, step.station)],
  [tOr(`priority_${step.priority}`, step.priority || '–'), ' ', step.status === 'STARTED' && element('span', {class: 'tag busy'}, t('started'))],
];

export const worklist = {
  title: 'nav_worklist',
  load: async (rest, byPage) => (await get('worklist?limit=300', byPage)).worklist,
  show: (steps) => [
    element('h1', {tabindex: -1}, t('nav_worklist')),
    element('p', {class: 'quiet'}, t('worklist_note')),
    steps.length === 0 ? element('p', {}, t('no_worklist'))
      : table(t('nav_worklist'), [t('when'), t('patient'), t('examination'), t('modality'), t('priority')], steps.map(row)),
  ],
};
