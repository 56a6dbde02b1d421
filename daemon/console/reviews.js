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

function choice(decision, side, other) {
  const id = `${decision.group}-${side}`;
  return element('label', {class: 'side-choice', for: id},
    element('span', {class: 'who'},
      may('operator') && element('input', {type: 'radio', id, name: decision.group, value: side, required: true, 'data-key': id,
        onchange: (event) => event.target.closest('form').setAttribute('data-dirty', '')}),
      t(`side_${side}`), decision.shown === side && element('span', {class: 'tag plain'}, t('shown_now'))),
    values(decision[side], decision[other]));
}

function decision(one) {
  return element('fieldset', {class: 'sides'},
    element('legend', {}, element('h2', {}, groupName(one.group)), one.reason && element('p', {class: 'quiet small', lang: 'en'}, one.reason)),
    choice(one, 'ours', 'theirs'), choice(one, 'theirs', 'ours'));
}

function patientLine(review) {
  const whose = review.shown?.subject ?? review.shown?.for ?? review.shown?.patient;
  const name = review.shown?.name && review.resource.startsWith('Patient/') ? readable(review.shown.name[0]) : null;
  return name ?? (whose ? readable(whose) : review.resource);
}

function detail(review, page) {
  const asked = review.decisions.filter((one) => one.asked);
  const problem = element('p', {class: 'notice bad', role: 'alert', hidden: true});
  const decide = async (event) => {
    event.preventDefault();
    const choices = Object.fromEntries(asked.map((one) => [one.group, event.target.elements[one.group].value]));
    try {
      await post(`reviews/${review.number}`, {choices});
      page.say(t('decided'));
      location.hash = '#/reviews';
    } catch (refused) {
      problem.textContent = t('failed', {why: refused.message});
      problem.hidden = false;
    }
  };
  const open = review.state === 'open' && asked.length > 0;
  return [
    element('p', {}, element('a', {href: '#/reviews'}, `← ${t('nav_reviews')}`)),
    element('h1', {tabindex: -1}, `${typeOf(review.resource)}: ${patientLine(review)}`),
    element('p', {class: 'quiet'}, open ? t('review_explain') : t('review_done', {name: review.decided_by || '–'})),
    element('form', {onsubmit: decide}, problem, (open ? asked : review.decisions).map(decision),
      open && may('operator') && element('div', {class: 'actions'}, element('button', {type: 'submit', class: 'first'}, t('decide')), element('span', {class: 'quiet small'}, t('decide_note')))),
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
