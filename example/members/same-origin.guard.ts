import {
  type CanActivate,
  type ExecutionContext,
  ForbiddenException,
  Inject,
  Injectable,
} from '@nestjs/common';
import type { Request } from 'express';

/** Injection token of the address under which browsers reach the shop. */
export const SHOP_URL = Symbol('SHOP_URL');

/** Refuses what another site's page sends in the name of its visitor: signing in, signing out, connecting WeChat. */
@Injectable()
export class SameOriginGuard implements CanActivate {
  private readonly origin: string;

  constructor(@Inject(SHOP_URL) shopUrl: string) {
    this.origin = new URL(shopUrl).origin;
  }

  canActivate(context: ExecutionContext): boolean {
    const { method, headers } = context.switchToHttp().getRequest<Request>();
    if (method === 'GET' || headers.origin === this.origin) return true;
    throw new ForbiddenException({ error: 'origin_forbidden' });
  }
}
