// Draws the pictures of the guide from the texts beside this file, by D2: light and dark, with the fonts inside of the picture.
// `scripts/pictures` calls it, with the folder that D2 is installed in; with `check` it writes nothing and fails where a picture
// is not what its text gives.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [installed, mode] = process.argv.slice(2);
const { D2 } = await import(pathToFileURL(join(installed, 'node_modules/@terrastruct/d2/dist/node-esm/index.js')));
const texts = dirname(fileURLToPath(import.meta.url));
const pictures = join(texts, '../../idempotency-actix/guide/pictures');

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const said = (text, what) => text.match(new RegExp(`^# ${what}: (.*)$`, 'm'))[1];

// Of what D2 takes for a whole screen.
const SCALE = 0.8;

// What readers of the screen are told, and a size for pages that give none.
function accessible(svg, text) {
    const [width, height] = svg.match(/viewBox="0 0 (\d+) (\d+)"/).slice(1).map((it) => Math.round(it * SCALE));
    const told = `<title>${escaped(said(text, 'title'))}</title><desc>${escaped(said(text, 'desc'))}</desc>`;
    return svg.replace(/<svg ([^>]*)>/, `<svg role="img" width="${width}" height="${height}" $1>${told}`) + '\n';
}

let differs = false;
function write(file, content) {
    const path = join(pictures, file);
    if (mode !== 'check') return writeFileSync(path, content);
    let found = '';
    try { found = readFileSync(path, 'utf8'); } catch {}
    if (found === content) return;
    console.error(`${path} is not what its text gives: scripts/pictures draws it anew`);
    differs = true;
}

const d2 = new D2();
for (const file of readdirSync(texts).filter((name) => name.endsWith('.d2'))) {
    const name = file.replace('.d2', '');
    const text = readFileSync(join(texts, file), 'utf8');
    const { diagram, renderOptions } = await d2.compile(text);
    const looks = { ...renderOptions, themeID: 0, darkThemeID: 200, pad: 20, noXMLTag: true, salt: name };
    const svg = accessible(await d2.render(diagram, looks), text);
    write(`${name}.svg`, svg);
    // For documentation of the crate, which has no files beside its pages.
    const data = Buffer.from(svg).toString('base64');
    write(`${name}.link`, `[pictures/${name}.svg]: data:image/svg+xml;base64,${data}\n`);
}
process.exit(differs ? 1 : 0);
