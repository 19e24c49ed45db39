import { Controller, Get } from '@nestjs/common';
import { Mutation, Query, Resolver, Subscription } from '@nestjs/graphql';
import { type OnGatewayConnection, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  type AuthenticatedUser,
  CurrentUser,
  IamSockets,
  OptionalAuth,
  RequirePermissions,
} from 'nestjs-wechat-iam';

/** Under the global guard, as all that is here. */
@Controller('orders')
export class OrdersController {
  @Get()
  list(@CurrentUser() user: AuthenticatedUser): { of: string } {
    return { of: user.id };
  }
}

@Resolver()
export class OrdersResolver {
  @Query(() => String)
  mine(@CurrentUser() user: AuthenticatedUser): string {
    return user.id;
  }

  @OptionalAuth()
  @Query(() => String, { nullable: true })
  anybody(@CurrentUser() user: AuthenticatedUser | undefined): string | null {
    return user?.id ?? null;
  }

  @RequirePermissions('orders:refund')
  @Mutation(() => Boolean)
  refund(): boolean {
    return true;
  }

  @Subscription(() => String)
  async *ticks(@CurrentUser() user: AuthenticatedUser): AsyncGenerator<{ ticks: string }> {
    yield { ticks: user.id };
  }
}

/** Beside the application: two servers of sockets on one port refuse each other's handshakes. */
const port = process.env['GATEWAY'] === 'own port' ? Number(process.env['PORT']) - 20_000 : 0;

@WebSocketGateway(port)
export class OrdersGateway implements OnGatewayConnection {
  constructor(private readonly sockets: IamSockets) {}

  async handleConnection(client: object, request?: object): Promise<void> {
    await this.sockets.admitOptional(client, request);
  }

  @SubscribeMessage('mine')
  mine(@CurrentUser() user: AuthenticatedUser) {
    return { event: 'mine', data: user.id };
  }

  @OptionalAuth()
  @SubscribeMessage('anybody')
  anybody(@CurrentUser() user: AuthenticatedUser | undefined) {
    return { event: 'anybody', data: user?.id ?? null };
  }
}
