import {element, table} from './element.js';
import {ago, moment, t} from './text.js';
import {get} from './server.js';

/** The parts of the status that have devices, and what these speak. */
const spoken = () => [['hl7', 'HL7'], ['astm', 'ASTM'], ['poct1a', 'POCT1-A'], ['folder', t('device_folder')], ['mqtt_devices', 'MQTT'],
  ['socket', t('device_socket')]];

/** What listens now, joined with whom the audit trail has seen since the gateway was set up. */
function devicesIn(seen, status) {
  const found = new Map(seen.map((one) => [one.name, {last: one.last_seen, protocol: ''}]));
  for (const [part, protocol] of spoken()) {
    for (const device of status[part]?.devices ?? []) {
      const name = `device:${device.name}`;
      const [kept, now] = [found.get(name)?.last ?? '', device.last_seen ?? ''];
      found.set(name, {last: kept > now ? kept : now, protocol});
    }
  }
  return [...found].sort(([, one], [, other]) => (one.last < other.last ? 1 : -1));
}

function kindOf(kind, protocol) {
  if (kind === 'ae') return t('device_modality');
  return protocol ? t('device_of', {protocol}) : t('device_plain');
}

function row([name, {last, protocol}]) {
  const [kind, ...rest] = name.split(':');
  return [element('strong', {}, rest.join(':')), kindOf(kind, protocol), last ? ago(last) : t('never'), last ? moment(last) : '–'];
}

export const devices = {
  title: 'nav_devices',
  load: async (rest, byPage) => ({seen: (await get('last-seen', byPage)).devices, status: await get('status', byPage)}),
  show: ({seen, status}) => {
    const list = devicesIn(seen, status);
    const listening = [['DICOM', status.dicom], ...spoken().map(([part, protocol]) => [protocol, status[part]])].filter(([, one]) => one);
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
