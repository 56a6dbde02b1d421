// FHIR values as people read them (R4 2.24). Pure: a value in, a text out.
import {moment, t, tOr} from './text.js';

const joined = (parts, by = ' ') => parts.filter(Boolean).join(by);

const SHAPES = [
  ['HumanName', (v) => v.family || v.given, (v) => v.text || joined([v.family, ...(v.given ?? [])].length > 1 && v.family ? [`${v.family},`, ...(v.given ?? [])] : [v.family, ...(v.given ?? [])])],
  ['ContactPoint', (v) => v.value && v.system && /^(phone|email|fax|sms|url|pager|other)$/.test(v.system), (v) => joined([v.value, v.use && `(${tOr(`use_${v.use}`, v.use)})`])],
  ['Address', (v) => v.line || v.city || v.postalCode, (v) => v.text || joined([...(v.line ?? []), joined([v.postalCode, v.city]), v.country], ', ')],
  ['Quantity', (v) => 'value' in v && ('unit' in v || 'code' in v), (v) => joined([v.comparator, String(v.value), v.unit ?? v.code])],
  ['CodeableConcept', (v) => v.text || v.coding, (v) => v.text || joined((v.coding ?? []).map((c) => c.display ?? c.code), ', ')],
  ['Reference', (v) => v.reference, (v) => v.display || v.reference],
  ['Coding', (v) => v.code, (v) => v.display ?? v.code],
  ['Period', (v) => v.start || v.end, (v) => `${readable(v.start ?? '…')} – ${readable(v.end ?? '…')}`],
  ['Identifier', (v) => v.value, (v) => String(v.value)],
];

export function readable(value) {
  if (value === null || value === undefined) return t('nothing');
  if (typeof value === 'boolean') return t(value ? 'yes' : 'no');
  if (typeof value === 'string') return /^\d{4}-\d\d-\d\dT/.test(value) ? moment(value) : tOr(`value_${value}`, value);
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return value.map(readable).join('; ');
  const shape = SHAPES.find(([, fits]) => fits(value));
  if (shape) return shape[2](value);
  return Object.entries(value).map(([key, inner]) => `${element_name(key)}: ${readable(inner)}`).join('; ');
}

/** "birthDate" -> "Date of birth", or "birth date" where no table knows it. */
export function element_name(name) {
  return tOr(`element_${name}`, name.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`));
}
