import {element} from './element.js';
import {ago, t, tOr} from './text.js';
import {get, may, post} from './server.js';
import {element_name, readable} from './readable.js';

const typeOf = (resource) => tOr(`type_${resource.split('/')[0]}`, resource.split('/')[0]);
const groupName = (group) => tOr(`group_${group}`, element_name(group));

function listed(review) {
  return element('li', {class: 'sheet item'},
    element('div', {class: 'grow'},
      element('h2', {}, element('a', {href: `#/reviews/${review.number}`, 'data-key': `review-${review.number}`}, `${typeOf(review.resource)}: ${review.groups.map(groupName).join(', ')}`)),
      element('p', {class: 'quiet small'}, `${t('review_number', {number: String(review.number)})} · ${review.uplink} · ${ago(review.at)}`)),
    element('span', {class: `tag ${review.state === 'open' ? 'attention' : 'plain'}`}, t(`review_${review.state}`)));
}

function values(side, other) {
  const names = [...new Set([...Object.keys(side ?? {}), ...Object.keys(other ?? {})])];
  if (names.length === 0) return element('p', {class: 'quiet'}, t('nothing'));
  return element('dl', {class: 'values'}, names.map((name) => {
    const differs = JSON.stringify(side?.[name]) !== JSON.stringify(other?.[name]);
    return element('div', {class: differs ? 'differs' : null}, element('dt', {}, element_name(name)), element('dd', {}, readable(side?.[name])));
  }));
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const dirty = (event) => event.target.closest('form').setAttribute('data-dirty', '');

function picker(decision, value, required) {
  const id = `${decision.group}-${value}`;
  return may('operator') && element('input', {type: 'radio', id, name: decision.group, value, required, 'data-key': id, onchange: dirty});
}

function choice(decision, side, required) {
  const shown = side === 'held' ? decision.now : decision[side];
  const other = decision[side === 'ours' ? 'theirs' : 'ours'];
  return element('label', {class: 'side-choice', for: `${decision.group}-${side}`},
    element('span', {class: 'who'}, picker(decision, side, required), t(`side_${side}`), decision.group !== 'contraindication' && same(shown, decision.now) && element('span', {class: 'tag plain'}, t('shown_now'))),
    values(shown, other));
}

/** What people may write themselves of a group: text as it is, all else as JSON. */
function elementsOf(one) {
  if (one.group === 'existence') return [];
  const sides = [one.now, one.ours, one.theirs, one.merged];
  const names = [...new Set(sides.flatMap((side) => Object.keys(side ?? {})))].filter((name) => !name.startsWith('_'));
  return names.map((name) => {
    const isText = sides.some((side) => typeof side?.[name] === 'string');
    const value = one.now?.[name];
    return {name, isText, before: value === undefined ? '' : isText ? String(value) : JSON.stringify(value)};
  });
}

function editing(one, required) {
  const id = `${one.group}-edit`;
  const fields = elementsOf(one).map(({name, before}) => element('label', {class: 'edited'}, element_name(name),
    element('textarea', {name: `${id}-${name}`, rows: before.length > 80 ? 4 : 1, 'data-key': `${id}-${name}`,
      oninput: (event) => { document.getElementById(id).checked = true; dirty(event); }}, before)));
  if (fields.length === 0 || !may('operator')) return null;
  return element('div', {class: 'side-choice whole'}, element('label', {class: 'who', for: id}, picker(one, 'edit', required), t('side_edit')), fields);
}

/** The elements somebody wrote otherwise; what they emptied is taken out. Throws where it is no JSON. */
function edited(one, fields) {
  const changed = {};
  for (const {name, isText, before} of elementsOf(one)) {
    const text = fields[`${one.group}-edit-${name}`].value.trim();
    if (text === before) continue;
    try {
      changed[name] = text === '' ? null : isText ? text : JSON.parse(text);
    } catch {
      throw new Error(t('edit_not_json', {name: element_name(name)}));
    }
  }
  return changed;
}

function decision(one, required) {
  const sides = ['ours', 'theirs', one.shown === 'merged' && 'merged', one.is_stale && 'held'].filter(Boolean);
  return element('fieldset', {class: 'sides'},
    element('legend', {}, element('h2', {}, groupName(one.group)), one.reason && element('p', {class: 'quiet small', lang: 'en'}, one.reason),
      one.is_stale && element('p', {class: 'notice attention'}, t('review_stale'))),
    sides.map((side) => choice(one, side, required)), editing(one, required));
}

function answerOf(review, fields) {
  const answer = {choices: {}, edit: {}, seen: review.held_version};
  for (const one of review.decisions) {
    const picked = fields[one.group]?.value;
    if (picked === 'edit') answer.edit[one.group] = edited(one, fields);
    else if (picked) answer.choices[one.group] = picked;
  }
  if (Object.keys({...answer.choices, ...answer.edit}).length === 0) throw new Error(t('choose_first'));
  return answer;
}

function patientLine(review) {
  const whose = review.shown?.subject ?? review.shown?.for ?? review.shown?.patient;
  const name = review.shown?.name && review.resource.startsWith('Patient/') ? readable(review.shown.name[0]) : null;
  return name ?? (whose ? readable(whose) : review.resource);
}

function detail(review, page) {
  const problem = element('p', {class: 'notice bad', role: 'alert', hidden: true});
  const decide = async (event) => {
    event.preventDefault();
    try {
      await post(`reviews/${review.number}`, answerOf(review, event.target.elements));
      page.say(t('decided'));
      location.hash = '#/reviews';
    } catch (refused) {
      // Changed meanwhile: what is held now is shown beside the sides.
      if (refused.status === 409) { page.say(t('review_stale')); page.redraw(); return; }
      problem.textContent = t('failed', {why: refused.message});
      problem.hidden = false;
    }
  };
  const open = review.state === 'open';
  return [
    element('p', {}, element('a', {href: '#/reviews'}, `← ${t('nav_reviews')}`)),
    element('h1', {tabindex: -1}, `${typeOf(review.resource)}: ${patientLine(review)}`),
    element('p', {class: 'quiet'}, open ? t('review_explain') : t('review_done', {name: review.decided_by || '–'})),
    element('form', {onsubmit: decide}, problem, review.decisions.map((one) => decision(one, open && one.asked)),
      may('operator') && element('div', {class: 'actions'}, element('button', {type: 'submit', class: 'first'}, t(open ? 'decide' : 'take_back')), element('span', {class: 'quiet small'}, t('decide_note')))),
  ];
}

export const reviews = {
  title: 'nav_reviews',
  load: async (rest, byPage) => (rest[0] ? {one: await get(`reviews/${Number(rest[0])}`, byPage)} : {list: (await get('reviews', byPage)).reviews}),
  show: ({one, list}, page) => (one ? detail(one, page) : [
    element('h1', {tabindex: -1}, t('nav_reviews')),
    list.length === 0 ? element('p', {class: 'quiet'}, t('no_reviews')) : element('ul', {}, list.map(listed)),
  ]),
};
