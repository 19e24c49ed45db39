/** WeChat's two speech bubbles. */
export const bubble =
  '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M9.5 4C5.4 4 2 6.8 2 10.2c0 1.9 1.1 3.6 2.8 4.8l-.7 2.2 2.5-1.3c.9.2 1.8.4 2.9.4h.5a5 5 0 0 1-.2-1.4c0-3.2 3-5.8 6.7-5.8h.4C16.3 6.2 13.2 4 9.5 4Zm-2.6 3.3a1 1 0 1 1 0 2 1 1 0 0 1 0-2Zm5 0a1 1 0 1 1 0 2 1 1 0 0 1 0-2ZM22 14.9c0-2.8-2.7-5-6-5s-6 2.2-6 5 2.7 5 6 5c.7 0 1.4-.1 2-.3l2 1-.5-1.7c1.5-.9 2.5-2.4 2.5-4Zm-8-1.7a.8.8 0 1 1 0 1.6.8.8 0 0 1 0-1.6Zm4 0a.8.8 0 1 1 0 1.6.8.8 0 0 1 0-1.6Z"/></svg>';

/** A button that does something when it is clicked. */
export function button(label, kind, onClick) {
  const element = document.createElement('button');
  element.type = 'button';
  element.className = `button ${kind}`;
  element.textContent = label;
  element.addEventListener('click', onClick);
  return element;
}
