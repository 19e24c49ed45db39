import { Get, Inject } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { IamHealth, type IamHealthReport, iamProblems } from '../../health/iam-health.service.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { CurrentUser } from '../../http/parameter.decorators.js';
import { Clock } from '../../runtime/clock.js';
import { type Admin, AdminPermissions } from '../admin-reach.service.js';
import { AdminController } from '../admin.guard.js';
import { countSignIns, signInCount } from './sign-in-counts.js';

const overview = z.object({
  sign_ins: z.array(signInCount),
  is_complete: z.boolean().describe('False: there were so many entries that the numbers are lower bounds'),
  health: z
    .looseObject({ status: z.enum(['up', 'down']), problems: z.array(z.enum(iamProblems)) })
    .nullable()
    .describe('The report of `IamHealth` on the replica that answers; null without `iam:providers:read`'),
});
type Overview = Omit<z.infer<typeof overview>, 'health'> & { readonly health: IamHealthReport | null };

/** What an administration opens with. */
@AdminController('overview')
export class AdminOverviewController {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly clock: Clock,
    private readonly health: IamHealth,
    private readonly permissions: AdminPermissions,
  ) {}

  @Endpoint({
    summary: 'Sign-ins of the last day and week by way and outcome, and what an operator should look at',
    permission: 'iam:audit:read',
    responses: { 200: overview },
    example: {
      sign_ins: [
        { method: 'open', outcome: 'signed_in', error: null, day: 120, week: 811 },
        { method: 'mp', outcome: 'failed', error: 'wechat_code_invalid', day: 1, week: 4 },
      ],
      is_complete: true,
      health: { status: 'up', problems: ['inbox_dead'], inbox: { oldest_seconds: null, dead: 2 } },
    },
  })
  @Get()
  async get(@CurrentUser() admin: Admin): Promise<Overview> {
    const isOperator = (await this.permissions.refusalOf(admin, ['iam:providers:read'])) === null;
    const [{ items, isComplete }, health] = await Promise.all([
      countSignIns(this.dataSource, this.clock.now()),
      isOperator ? this.health.report() : null,
    ]);
    return { sign_ins: items, is_complete: isComplete, health };
  }
}

const accessView = z.object({
  actor: z.enum(['admin_token', 'host', 'user', 'service', 'api_key']),
  permissions: z.array(z.string()).describe('Of the admin API; the roles of a user may grant others too'),
});

/** What the caller may do, for the navigation of an administration. */
@AdminController('access')
export class AdminAccessController {
  constructor(private readonly permissions: AdminPermissions) {}

  @Endpoint({
    summary:
      'Who calls, and which permissions of the admin API they have; any signed-in user or machine may ask',
    permission: 'self',
    responses: { 200: accessView },
    example: { actor: 'user', permissions: ['iam:users:read', 'iam:logins:read'] },
  })
  @Get()
  get(@CurrentUser() admin: Admin): Promise<z.infer<typeof accessView>> {
    return this.permissions.held(admin);
  }
}
