import type { NavigationOptions } from '../web-view/web-view.js';

/** What a person's web view on the phone page is doing. */
interface WebVisit {
  /** How the page was opened: from which chat, past a snapshot page or not. */
  options: NavigationOptions;
  /** The real address of the last page shown, and its title. */
  url: string;
  title: string;
}

/** The web views that are open on phone pages, one per person. */
export class WebVisits {
  readonly #visits = new Map<string, WebVisit>();

  begin(person: string, url: string, options: NavigationOptions): void {
    this.#visits.set(person, { url, title: '', options });
  }

  of(person: string): WebVisit | undefined {
    return this.#visits.get(person);
  }

  /** Notes which page the web view has arrived at. */
  arrive(person: string, url: string, title: string): void {
    const visit = this.#visits.get(person);
    if (visit) Object.assign(visit, { url, title });
  }
}
