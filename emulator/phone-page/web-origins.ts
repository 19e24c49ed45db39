import { createHash } from 'node:crypto';
import type { PersonId } from '../world/identities.js';

/** One site in one person's web view. */
export interface WebOrigin {
  readonly person: PersonId;
  /** The site's real origin, e.g. `http://localhost:3000`. */
  readonly origin: string;
}

const labelled = /^web-([0-9a-f]{16})\.phone\.localhost$/;

/**
 * Names under which a browser sees the sites in people's web views: `web-….phone.localhost`, one per person and site. Browsers
 * take such names for this machine and for a secure context, so paths, storage and scripts work as on the real site; and
 * for the same site as the phone page itself, so that nothing in its frame counts as third-party.
 */
export class WebOrigins {
  readonly #byLabel = new Map<string, WebOrigin>();

  /** The host name for a site in a person's web view. */
  hostFor(web: WebOrigin): string {
    const label = createHash('sha256').update(`${web.person} ${web.origin}`).digest('hex').slice(0, 16);
    this.#byLabel.set(label, web);
    return `web-${label}.phone.localhost`;
  }

  /** The site behind a host name, which may carry a port. */
  find(host: string): WebOrigin | undefined {
    const label = labelled.exec(host.split(':')[0] ?? '')?.[1];
    return label === undefined ? undefined : this.#byLabel.get(label);
  }

  /** The sites a person has visited. */
  of(person: PersonId): readonly string[] {
    return [...this.#byLabel.values()].filter((web) => web.person === person).map(({ origin }) => origin);
  }
}
