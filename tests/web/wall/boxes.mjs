/** Tiles and groups for tests of the layout. */

const LEAST = { s: { width: 20, height: 13 }, m: { width: 20, height: 13 }, l: { width: 24, height: 18 }, wide: { width: 24, height: 18 }, hero: { width: 24, height: 18 } };

/** Tiles of these sizes: "hero l s". */
export function tiles(sizes) {
  return sizes.split(" ").map((size) => ({ size, least: LEAST[size] }));
}

export function group(title, sizes, stacked = false) {
  return { title, stacked, items: tiles(sizes) };
}

/** The boxes of tiles, without those of groups. */
export function boxesOf(page) {
  return page.filter(({ item }) => !item.items);
}

/** Whether any two boxes overlap. */
export function overlaps(boxes) {
  const apart = (a, b) => a.x + a.width < b.x + 0.01 || b.x + b.width < a.x + 0.01 || a.y + a.height < b.y + 0.01 || b.y + b.height < a.y + 0.01;
  return boxes.some((a, i) => boxes.slice(i + 1).some((b) => !apart(a, b)));
}
