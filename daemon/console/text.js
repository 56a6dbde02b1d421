// The console's words: one table per language, the browser's language first, a choice kept.

export const LANGUAGES = {en: 'English', es: 'Español', fr: 'Français'};
let words = {};
let language = 'en';

function preferred() {
  const kept = localStorage.getItem('language');
  if (kept in LANGUAGES) return kept;
  const known = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in LANGUAGES);
  return known ?? 'en';
}

export async function useLanguage(wanted) {
  if (wanted) localStorage.setItem('language', wanted);
  language = wanted ?? preferred();
  words = await (await fetch(`${language}.json`)).json();
  document.documentElement.lang = language;
}
export const currentLanguage = () => language;
/** The browser's own way with dates and numbers in that language. */
const locale = () => navigator.languages.find((tag) => tag.toLowerCase().startsWith(language)) ?? language;

/** The text of `key`; {name} is replaced, a table of plural forms is chosen from by values.count. */
export function t(key, values = {}) {
  let text = words[key];
  if (text === undefined) return key;
  if (typeof text === 'object') {
    text = text[new Intl.PluralRules(language).select(values.count ?? 0)] ?? text.other;
  }
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === 'number' ? new Intl.NumberFormat(locale()).format(value) : (value ?? '');
  });
}
/** Like t(), but what has no translation stays as it is. */
export const tOr = (key, otherwise) => (key in words ? t(key) : otherwise);

const UNITS = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];

/** "5 minutes ago" */
export function ago(instant) {
  const passed = (Date.now() - Date.parse(instant)) / 1000;
  if (Number.isNaN(passed)) return '–';
  const [unit, seconds] = UNITS.find(([, size]) => Math.abs(passed) >= size) ?? UNITS.at(-1);
  return new Intl.RelativeTimeFormat(locale(), {numeric: 'auto'}).format(-Math.round(passed / seconds), unit);
}

export function moment(instant) {
  if (Number.isNaN(Date.parse(instant))) return '–';
  return new Intl.DateTimeFormat(locale(), {dateStyle: 'medium', timeStyle: 'short'}).format(new Date(instant));
}

/** DICOM DA and TM, as they are said in the clinic. */
export function dicomTime(date, time = '') {
  const day = /^(\d{4})(\d\d)(\d\d)$/.exec(date ?? '');
  if (!day) return date || '–';
  const hour = /^(\d\d)(\d\d)/.exec(time) ?? ['', '00', '00'];
  const at = new Date(+day[1], +day[2] - 1, +day[3], +hour[1], +hour[2]);
  const style = time ? {dateStyle: 'medium', timeStyle: 'short'} : {dateStyle: 'medium'};
  return new Intl.DateTimeFormat(locale(), style).format(at);
}

/** DICOM PN: "ROE^JANE" -> "Roe, Jane" keeps what is not upper case throughout. */
export function personName(name) {
  const parts = (name ?? '').split('=')[0].split('^').filter(Boolean).slice(0, 3);
  const said = parts.map((part) => (part === part.toUpperCase()
    ? part.toLowerCase().replace(/(^|[\s'-])\p{L}/gu, (letter) => letter.toUpperCase()) : part));
  return said.length > 1 ? `${said[0]}, ${said.slice(1).join(' ')}` : (said[0] ?? t('no_name'));
}
