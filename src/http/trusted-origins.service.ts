import { Inject, Injectable } from '@nestjs/common';
import { IamError } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { IamRequest } from './iam-request.js';

/** A form of one of our own pages: browsers send `Origin` with a POST, and where one does, it must be ours. */
export function isOwnForm(
  { requestOrigin }: IamRequest,
  { publicUrl }: Pick<ResolvedIamOptions, 'publicUrl'>,
): boolean {
  return requestOrigin === undefined || requestOrigin === publicUrl;
}

const reading: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Where a request may come from that a browser authenticates by itself, with its cookies. */
@Injectable()
export class TrustedOrigins {
  private readonly origins: ReadonlySet<string>;
  private readonly frontEnds: ReadonlySet<string>;

  constructor(@Inject(IAM_OPTIONS) { publicUrl, clients }: ResolvedIamOptions) {
    const cookieClients = [...clients.values()].filter(({ tokens }) => tokens === 'cookie');
    this.origins = new Set([publicUrl, ...cookieClients.flatMap(({ origins }) => origins)]);
    this.frontEnds = new Set([publicUrl, ...[...clients.values()].flatMap(({ origins }) => origins)]);
  }

  /**
   * A request that changes something, or opens a socket, comes from a page of the same origin or of a cookie client's, as only the browser can
   * say (Fetch Metadata, or `Origin` where it is older), and never as the text that any page's form can send.
   * @throws IamError `origin_forbidden`
   */
  checkWrite({ method, isUpgrade, fetchSite, requestOrigin, contentType }: IamRequest): void {
    if (reading.has(method) && !isUpgrade) return;
    const isTrusted =
      fetchSite === 'same-origin' || (requestOrigin !== undefined && this.origins.has(requestOrigin));
    if (!isTrusted)
      throw new IamError('origin_forbidden', `${method} from "${requestOrigin ?? fetchSite ?? 'nowhere'}"`);
    if (/^\s*text\/plain\b/i.test(contentType ?? ''))
      throw new IamError('origin_forbidden', 'a body of text/plain');
  }

  /**
   * A request that changes something, admitted by what only the host understands: perhaps a cookie or a password that the
   * browser adds by itself. A page that is none of the front-ends' has not sent it; whoever is no browser names no origin.
   * @throws IamError `origin_forbidden`
   */
  checkForeignWrite({ method, fetchSite, requestOrigin }: IamRequest): void {
    if (reading.has(method) || fetchSite === 'same-origin') return;
    const isPage = requestOrigin !== undefined || fetchSite !== undefined;
    if (isPage && !this.frontEnds.has(requestOrigin ?? ''))
      throw new IamError('origin_forbidden', `${method} from "${requestOrigin ?? fetchSite ?? ''}"`);
  }
}
