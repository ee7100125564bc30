// What an operator chose, kept in this browser. One that refuses to keep anything throws: then a choice lasts as long as
// the page.

export function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // See above.
  }
}
