// Elements without HTML strings: whatever a device or a hospital wrote stays text.

/** element('button', {type: 'button', onclick: f}, 'Send', ...more); null and false are left out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** A table; on a narrow screen a sheet for each row, whose cells carry their headings. `rows`: arrays of cells. */
export function table(caption, headings, rows) {
  const body = rows.map((cells) => element('tr', {}, cells.map((cell, i) => element('td', {'data-label': headings[i]}, element('div', {}, cell || '–')))));
  return element('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption},
    element('table', {},
      element('caption', {class: 'away'}, caption),
      element('thead', {}, element('tr', {}, headings.map((text) => element('th', {scope: 'col'}, text)))),
      element('tbody', {}, body)));
}

const SHAPES = {
  good: ['M8 16.5l5.5 5.5L24.5 11'],
  busy: ['M16 24V9', 'M9.5 15.5L16 9l6.5 6.5'],
  attention: ['M16 8v10', 'M16 23.5v.5'],
  bad: ['M10 10l12 12', 'M22 10L10 22'],
};

/** A sign that tells by its shape, not by its colour alone. */
export function sign(level) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', '0 0 32 32');
  svg.setAttribute('aria-hidden', 'true');
  const add = (name, attributes) => {
    const part = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
    svg.append(part);
  };
  const stroke = {fill: 'none', stroke: 'currentColor', 'stroke-width': 2.5, 'stroke-linecap': 'round', 'stroke-linejoin': 'round'};
  add('circle', {cx: 16, cy: 16, r: 14.5, ...stroke});
  for (const d of SHAPES[level] ?? SHAPES.attention) add('path', {d, ...stroke});
  return svg;
}
