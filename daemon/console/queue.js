import {element, table} from './element.js';
import {ago, moment, personName, t, tOr} from './text.js';
import {get, may, post} from './server.js';

function subject(row) {
  if (row.kind === 'instance') return t('kind_instance', {number: row.subject});
  const type = row.subject.split('/')[0];
  return `${tOr(`type_${type}`, type)} ${row.subject.slice(type.length + 1)}`;
}

/** A button that does its work once and says what came of it. */
function act(key, text, work, page, first = false) {
  const button = element('button', {type: 'button', class: first ? 'first' : null, 'data-key': key, onclick: async () => {
    button.disabled = true;
    try {
      page.say(await work());
      page.redraw();
    } catch (refused) {
      page.say(t('failed', {why: refused.message}));
      button.after(element('p', {class: 'notice bad', role: 'alert'}, t('failed', {why: refused.message})));
      button.disabled = false;
    }
  }}, text);
  return button;
}

const retry = async (number) => t('sent_again', {count: (await post('retry', {number})).retried});

function parkedRow(row, page) {
  return element('li', {class: 'sheet item'},
    element('div', {class: 'grow'},
      element('h3', {}, subject(row)),
      element('p', {}, element('span', {class: 'quiet'}, `${t('reason')}: `), element('span', {lang: 'en'}, row.reason || t('unknown'))),
      element('p', {class: 'quiet small'}, t(row.attempts ? 'parked_detail' : 'parked_unsent', {name: row.uplink, count: row.attempts, when: ago(row.queued_at)}))),
    may('operator') && act(`retry-${row.number}`, t('send_again'), () => retry(row.number), page));
}

/** Whom a message may be about: choosing one only writes its id down. */
function suggestions(found, patient) {
  const why = (reasons) => reasons.map((reason) => t(`why_${reason}`)).join(', ');
  return found.length > 0 && [
    element('h4', {}, t('letter_suggestions')),
    element('ul', {}, found.map((one) => element('li', {class: 'item'},
      element('div', {class: 'grow'},
        element('p', {}, `${personName(one.name)} · ${[one.birth_date, tOr(`value_${one.gender}`, ''), ...one.identifiers.map(({value}) => value)].filter(Boolean).join(' · ')}`),
        element('p', {class: 'quiet small'}, why(one.because), one.but.length > 0 && [' · ', element('span', {class: 'tag attention'}, why(one.but))])),
      element('button', {type: 'button', 'data-key': `choose-${patient.id}-${one.patient}`, onclick: () => {
        patient.value = one.patient;
        patient.focus();
      }}, t('choose')))))];
}

/** Page after page, until none is left. */
async function workAll() {
  const sums = {tried: 0, stored: 0};
  let after = 0;
  do {
    const page = await post('letters', {after});
    sums.tried += page.tried;
    sums.stored += page.stored;
    after = page.next;
  } while (after !== null);
  return t('letters_worked', {count: sums.tried, stored: sums.stored});
}

function letterRow(letter, page) {
  const shown = element('div');
  const open = async () => {
    const whole = await get(`letters/${letter.number}`);
    const patient = element('input', {id: `patient-${letter.number}`, autocomplete: 'off'});
    const again = async () => {
      const answer = await post(`letters/${letter.number}`, patient.value.trim() ? {patient: patient.value.trim()} : {});
      return `${t(`letter_${answer.state}`)} ${answer.reason}`;
    };
    shown.replaceChildren(
      element('pre', {tabindex: 0}, whole.text.replaceAll('\r', '\n')),
      ...[suggestions(whole.suggestions ?? [], patient)].flat().filter(Boolean),
      element('form', {class: 'actions', onsubmit: (event) => event.preventDefault()},
        element('div', {class: 'field'}, element('label', {for: patient.id}, t('letter_patient')), patient),
        act(`letter-${letter.number}`, t('work_again'), again, page, true)));
    shown.setAttribute('data-dirty', '');  // no news takes away what somebody reads
    shown.querySelector('pre').focus();
  };
  return element('li', {class: 'sheet'},
    element('div', {class: 'item'},
      element('div', {class: 'grow'},
        element('h3', {}, `${letter.device} · ${letter.kind}`),
        element('p', {}, element('span', {class: `tag ${letter.state === 'dead' ? 'bad' : 'attention'}`}, t(`letter_${letter.state}`)), ' ', element('span', {lang: 'en'}, letter.reason)),
        element('p', {class: 'quiet small'}, moment(letter.received_at))),
      may('operator') && element('button', {type: 'button', 'data-key': `open-${letter.number}`, onclick: open}, t('show'))),
    shown);
}

function criticalRow(one, page) {
  return element('li', {class: 'sheet item'},
    element('div', {class: 'grow'},
      one.results.map((result) => element('h3', {}, `${result.what}: ${result.value} `, element('span', {class: 'tag bad'}, result.flag))),
      element('p', {}, one.patient ? element('span', {}, one.patient) : t('critical_nobody')),
      element('p', {class: 'quiet small'}, `${one.device} · ${moment(one.raised_at)}`)),
    may('operator') && act(`critical-${one.number}`, t('take_note'), async () => {
      await post(`criticals/${one.number}`, {});
      return t('noted');
    }, page, true));
}

function resultRow(told, page) {
  return element('li', {class: 'sheet item'},
    element('div', {class: 'grow'},
      told.items.map((item) => element('h3', {}, item.value ? `${item.what}: ${item.value} ` : item.what, item.flag && element('span', {class: 'tag attention'}, item.flag))),
      told.patient && element('p', {}, told.patient),
      element('p', {class: 'quiet small'}, `${told.device} · ${moment(told.received_at)}`)),
    may('operator') && act(`result-${told.number}`, t('release'), async () => t('released', {count: (await post(`results/${told.number}`, {})).released.length}), page, true));
}

/** Images in a line per destination: nobody reads five hundred of them. */
function grouped(waiting) {
  const lines = new Map();
  for (const row of waiting) {
    const key = row.kind === 'instance' ? `images ${row.uplink}` : String(row.number);
    const line = lines.get(key) ?? {row, count: 0};
    line.count += 1;
    lines.set(key, line);
  }
  return [...lines.values()].map(({row, count}) => [
    row.kind === 'instance' ? t('images', {count}) : subject(row), row.uplink, ago(row.queued_at)]);
}

function section(title, note, list) {
  return [element('h2', {}, title), note && element('p', {class: 'quiet'}, note), element('ul', {}, list)];
}

export const queue = {
  title: 'nav_queue',
  load: async (rest, byPage) => ({rows: (await get('queue?limit=200', byPage)).queue, letters: (await get('letters', byPage)).letters,
    criticals: (await get('criticals', byPage)).criticals, results: (await get('results', byPage)).results}),
  show: ({rows, letters, criticals, results}, page) => {
    const parked = rows.filter((row) => row.state === 'parked');
    const waiting = rows.filter((row) => row.state !== 'parked');
    return [
      element('h1', {tabindex: -1}, t('nav_queue')),
      criticals.length > 0 && section(t('criticals_title', {count: criticals.length}), t('criticals_note'), criticals.map((one) => criticalRow(one, page))),
      rows.length + letters.length + criticals.length + results.length === 0 && element('p', {class: 'quiet'}, t('queue_empty')),
      parked.length > 0 && section(t('parked_title', {count: parked.length}), t('parked_note'), parked.map((row) => parkedRow(row, page))),
      parked.length > 1 && may('operator') && element('div', {class: 'actions'}, act('retry-all', t('send_all_again'), () => retry(0), page, true)),
      results.length > 0 && section(t('results_title', {count: results.length}), t('results_note'), results.map((told) => resultRow(told, page))),
      letters.length > 0 && section(t('letters_title', {count: letters.length}), t('letters_note'), letters.map((letter) => letterRow(letter, page))),
      letters.length > 1 && may('operator') && element('div', {class: 'actions'}, act('letters-all', t('work_all_again'), workAll, page)),
      waiting.length > 0 && [element('h2', {}, t('waiting_title', {count: waiting.length})),
        table(t('waiting_title', {count: waiting.length}), [t('what'), t('to'), t('oldest_one')], grouped(waiting))],
    ].flat().filter(Boolean);
  },
};
