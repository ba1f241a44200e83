'use strict';
// What moves in the page: sliders, the list, and the way from the list to the picture. Without it the
// page shows the same side by side. Texts are only ever set as text.
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  const calm = matchMedia('(prefers-reduced-motion: reduce)');

  const make = (tag, className, parent) => {
    const element = document.createElement(tag);
    element.className = className;
    parent.append(element);
    return element;
  };

  // A range input covers each picture, so that pointer, keyboard and screen reader all move it.
  const addSlider = (compare) => {
    const range = make('input', 'wipe', compare);
    Object.assign(range, { type: 'range', min: 0, max: 100, step: 1, value: 50 });
    range.setAttribute('aria-label', `${compare.dataset.name}: share that shows the date before`);
    make('div', 'handle', compare);
    const draw = () => {
      compare.style.setProperty('--split', `${range.value}%`);
      range.setAttribute('aria-valuetext', `${range.value} % before, ${100 - range.value} % after`);
    };
    range.addEventListener('input', draw);
    draw();
  };

  const addOutlineSwitch = (box) => {
    const section = box.closest('section');
    const draw = () => section.classList.toggle('bare', !box.checked);
    box.addEventListener('change', draw);
    draw();
  };

  // The list: sorted by a button in each head, filtered by the fields above it.
  const makeList = (table) => {
    const body = table.tBodies[0];
    const rows = all('tr', body).map((row, place) => ({ row, place, cells: all('th, td', row).map(valueOf) }));
    const heads = all('th', table.tHead);
    const column = (name) => heads.findIndex((head) => head.textContent === name);
    const [kind, area, confidence] = ['change', 'area', 'confidence'].map(column);
    const fields = ['class', 'area', 'confidence'].map(byId);
    let order = (a, b) => a.place - b.place;

    const draw = () => {
      const [words, least, sure] = fields.map((field) => (field ? field.value.trim() : ''));
      const text = words.replaceAll('->', '\u2192').toLowerCase();
      const fits = ({ cells }) => (!text || cells[kind].toLowerCase().includes(text))
        && cells[area] >= Number(least) && cells[confidence] >= Number(sure);
      const shown = rows.filter(fits).sort(order);
      body.replaceChildren(...shown.map(({ row }) => row));
      byId('count').textContent = shown.length === rows.length
        ? `${rows.length.toLocaleString('en')} changes`
        : `${shown.length.toLocaleString('en')} of ${rows.length.toLocaleString('en')} changes`;
    };

    heads.forEach((head, number) => {
      if (head.className === 'unsorted') return;
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => {
        const text = typeof rows[0].cells[number] === 'string';
        // The largest first, but words and numbers of changes from the first on.
        const usual = text || number === 0 ? 'ascending' : 'descending';
        const other = usual === 'ascending' ? 'descending' : 'ascending';
        const way = head.getAttribute('aria-sort') === usual ? other : usual;
        const sign = way === 'ascending' ? 1 : -1;
        heads.forEach((each) => each.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', way);
        order = (a, b) => sign * compareValues(a.cells[number], b.cells[number]) || a.place - b.place;
        draw();
      });
    });
    fields.forEach((field) => field && field.addEventListener('input', draw));
    draw();
  };

  const valueOf = (cell) => {
    const data = cell.querySelector('data');
    if (data) return Number(data.value);
    return cell.cellIndex === 0 ? Number(cell.textContent) : cell.textContent.trim();
  };
  const compareValues = (a, b) => (typeof a === 'string' ? a.localeCompare(b) : a - b);

  // From the list to the picture: it is enlarged around the change, which gets a frame.
  const makeFinder = (scene, body) => {
    const compare = scene.querySelector('.compare');
    const marker = make('div', 'marker', compare.querySelector('.lines'));
    let current = null;
    marker.hidden = true;

    const look = (zoom, x, y) => {
      compare.style.setProperty('--zoom', zoom);
      compare.style.setProperty('--x', `${x}%`);
      compare.style.setProperty('--y', `${y}%`);
      scene.classList.toggle('near', zoom > 1);
    };
    const shift = (zoom, middle) => Math.min(0, Math.max(100 - 100 * zoom, 50 - zoom * middle));

    const show = (row) => {
      const [top, left, height, width] = row.dataset.box.split(' ').map(Number);
      const zoom = Math.min(MOST_ZOOM, Math.max(1, FILLED / Math.max(height, width)));
      const middle = { x: left + width / 2, y: top + height / 2 };
      const [x, y] = [shift(zoom, middle.x), shift(zoom, middle.y)];
      look(zoom, x, y);
      Object.assign(marker.style, {
        left: `${x + zoom * middle.x}%`, top: `${y + zoom * middle.y}%`,
        width: `${zoom * width}%`, height: `${zoom * height}%`,
      });
      marker.hidden = false;
      if (current) current.classList.remove('chosen');
      row.classList.add('chosen');
      current = row;
      byId('whole').disabled = false;
      const words = all('th, td', row).map((cell) => cell.textContent.trim()).filter(Boolean);
      byId('told').textContent = `No. ${words.join(', ')}`;
    };
    const goTo = (row) => {
      show(row);
      scene.scrollIntoView({ behavior: calm.matches ? 'auto' : 'smooth' });
      compare.querySelector('.wipe').focus({ preventScroll: true });
    };
    const whole = () => {
      look(1, 0, 0);
      marker.hidden = true;
      byId('whole').disabled = true;
      byId('told').textContent = '';
    };
    const step = (by) => {
      const rows = [...body.rows];
      const at = rows.indexOf(current);
      if (rows.length) show(rows[at < 0 ? 0 : (at + by + rows.length) % rows.length]);
    };

    body.addEventListener('click', (event) => {
      const row = event.target.closest('tr');
      if (!row || (getSelection().type === 'Range' && !event.target.closest('a'))) return;
      event.preventDefault();
      goTo(row);
    });
    const rowOf = new Map([...body.rows].map((row) => [row.cells[0].textContent, row]));
    all('a[data-no]').forEach((link) => link.addEventListener('click', (event) => {
      event.preventDefault();
      goTo(rowOf.get(link.dataset.no));
    }));
    byId('previous').addEventListener('click', () => step(-1));
    byId('next').addEventListener('click', () => step(1));
    byId('whole').addEventListener('click', whole);
    scene.addEventListener('keydown', (event) => event.key === 'Escape' && whole());
  };
  const MOST_ZOOM = 4;
  const FILLED = 30; // per cent of the picture that a change takes, at most, when it is enlarged

  document.documentElement.classList.add('js');
  all('.compare').forEach(addSlider);
  all('.outlines').forEach(addOutlineSwitch);
  const table = document.querySelector('#changes table');
  const scene = byId('scene');
  if (table) makeList(table);
  if (scene && table) makeFinder(scene, table.tBodies[0]);
  else if (scene) all('.shown', scene).forEach((tools) => tools.remove());
})();
