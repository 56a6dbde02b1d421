import {element, table} from './element.js';
import {ago, moment, t} from './text.js';
import {get} from './server.js';

/** What listens now, joined with whom the audit trail has seen since the gateway was set up. */
function devicesIn(seen, status) {
  const found = new Map(seen.map((one) => [one.name, one.last_seen]));
  for (const device of status.hl7?.devices ?? []) {
    const name = `device:${device.name}`;
    const [kept, now] = [found.get(name) ?? '', device.last_seen ?? ''];
    found.set(name, kept > now ? kept : now);
  }
  return [...found].sort(([, one], [, other]) => (one < other ? 1 : -1));
}

function row([name, last]) {
  const [kind, ...rest] = name.split(':');
  return [element('strong', {}, rest.join(':')), t(kind === 'ae' ? 'device_modality' : 'device_hl7'), last ? ago(last) : t('never'), last ? moment(last) : '–'];
}

export const devices = {
  title: 'nav_devices',
  load: async (rest, byPage) => ({seen: (await get('last-seen', byPage)).devices, status: await get('status', byPage)}),
  show: ({seen, status}) => {
    const list = devicesIn(seen, status);
    const listening = [status.dicom && ['DICOM', status.dicom], status.hl7 && ['HL7', status.hl7]].filter(Boolean);
    return [
      element('h1', {tabindex: -1}, t('nav_devices')),
      list.length === 0 ? element('p', {class: 'quiet'}, t('no_devices'))
        : table(t('nav_devices'), [t('name'), t('kind'), t('last_seen'), t('when')], list.map(row)),
      element('h2', {}, t('listening')),
      table(t('listening'), [t('protocol'), t('state')], listening.map(([name, one]) => [
        name, element('span', {class: `tag ${one.state === 'running' ? 'good' : 'bad'}`}, t(one.state === 'running' ? 'running' : 'not_running'))])),
    ];
  },
};
