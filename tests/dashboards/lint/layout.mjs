// Places of panels.

/** Panels that lie on one another, or stick out. */
export function overlaps({ panels }) {
  const found = [];
  for (const [index, { title, gridPos: one }] of panels.entries()) {
    if (one.x < 0 || one.x + one.w > 24) found.push(`${title}: sticks out of the 24 columns`);
    for (const { title: other, gridPos: two } of panels.slice(0, index)) {
      const across = one.x < two.x + two.w && two.x < one.x + one.w;
      const down = one.y < two.y + two.h && two.y < one.y + one.h;
      if (across && down) found.push(`${title} lies on ${other}`);
    }
  }
  return found;
}
