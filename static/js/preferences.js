// Preferences of the operator, stored in this browser. Where storage is disabled it throws, and a preference lasts as
// long as the page.

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
