import { Delete, Get, Param, Patch, Post } from '@nestjs/common';
import { z } from 'zod';
import { namesQuery, pageOf, toPage } from '../../database/list.js';
import { plainText } from '../../database/database-errors.js';
import { IamError } from '../../errors/iam.error.js';
import { ClientRegistry, type Client } from '../../http/client-registry.service.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { Resources } from '../../http/resources.service.js';
import { Created, Tagged, toEtag } from '../../http/iam-response.js';
import { CurrentUser, IfMatch, Body, Query, ZodPipe } from '../../http/parameter.decorators.js';
import {
  clientChanges,
  newClient,
  type ClientChanges,
  type NewClient,
} from '../../oauth/clients/client-columns.js';
import { ClientRows, type ClientEdit } from '../../oauth/clients/client-rows.service.js';
import { Roles } from '../../roles/roles.service.js';
import { type Admin, AdminPermissions } from '../admin-reach.service.js';
import { AdminController } from '../admin.guard.js';
import { clientExample, clientView, type ClientView, viewOfCode, viewOfRow } from './clients.view.js';

const clientQuery = namesQuery.extend({
  q: plainText(100).optional().describe('The beginning of an id or name'),
});

const clientPage = pageOf(clientView);
const secretView = z.object({ secret: z.string().describe('It is never shown again'), client: clientView });

const path = { id: 'The application' };
const editErrors = ['not_found', 'precondition_required', 'precondition_failed'] as const;

/** The applications that people sign in to, and services: those of the code as they are, those of the database to be changed. */
@AdminController('clients')
export class AdminClientsController {
  constructor(
    private readonly rows: ClientRows,
    private readonly registry: ClientRegistry,
    private readonly roles: Roles,
    private readonly permissions: AdminPermissions,
    private readonly resources: Resources,
  ) {}

  @Endpoint({
    summary:
      'Applications by id, those of the option `clients` among them; of secrets only whether they are set',
    permission: 'iam:clients:read',
    responses: { 200: clientPage },
    example: { items: [clientExample], next_cursor: null },
  })
  @Get()
  async list(
    @Query(new ZodPipe(clientQuery)) { limit, cursor: after, q: prefix = '' }: z.infer<typeof clientQuery>,
  ): Promise<z.infer<typeof clientPage>> {
    const rows = await this.rows.list({ after, limit: limit + 1, prefix });
    const ofCode = this.registry.listOfCode().filter(({ id }) => {
      const isAfter = after === undefined || compareIds(id, after) > 0;
      return isAfter && id.toLowerCase().startsWith(prefix.toLowerCase());
    });
    const all = [...rows.map(viewOfRow), ...ofCode.map(viewOfCode)];
    all.sort((left, right) => compareIds(left.id, right.id));
    return toPage(all.slice(0, limit + 1), limit, ({ id }) => id);
  }

  @Endpoint({
    summary: 'Register an application; a server or service gets its first secret by rotate',
    permission: 'iam:clients:write',
    responses: { 201: clientView },
    example: clientExample,
    errors: ['already_exists'],
  })
  @Post()
  async create(
    @Body(new ZodPipe(newClient)) client: NewClient,
    @CurrentUser() admin: Admin,
  ): Promise<Created<ClientView>> {
    await this.requireReach(admin, client.roles);
    if (this.findOfCode(client.id) !== undefined)
      throw new IamError('already_exists', `the code has a client "${client.id}"`);
    this.resources.requireKnown(client.resources);
    return new Created(viewOfRow(await this.rows.create(client)), `admin/clients/${client.id}`);
  }

  @Endpoint({
    summary: 'One application, with its ETag',
    permission: 'iam:clients:read',
    path,
    responses: { 200: clientView },
    example: clientExample,
    errors: ['not_found'],
  })
  @Get(':id')
  async get(@Param('id') id: string): Promise<ClientView> {
    const ofCode = this.findOfCode(id);
    return ofCode === undefined ? viewOfRow(await this.rows.get(id)) : viewOfCode(ofCode);
  }

  @Endpoint({
    summary:
      'Change an application, If-Match its ETag: it acts at once here and within five seconds elsewhere',
    permission: 'iam:clients:write',
    path,
    responses: { 200: clientView },
    example: clientExample,
    errors: editErrors,
  })
  @Patch(':id')
  async update(
    @Param('id') id: string,
    @IfMatch() version: string | null,
    @Body(new ZodPipe(clientChanges)) changes: ClientChanges,
    @CurrentUser() admin: Admin,
  ): Promise<ClientView> {
    this.resources.requireKnown(changes.resources);
    const edit = await this.decide(admin, { id, version }, changes.roles);
    return viewOfRow(await this.rows.change(edit, changes));
  }

  @Endpoint({
    summary: 'Delete an application, If-Match its ETag: nobody who is signed in to it gets new tokens',
    permission: 'iam:clients:write',
    path,
    responses: { 204: null },
    errors: editErrors,
  })
  @Delete(':id')
  async remove(
    @Param('id') id: string,
    @IfMatch() version: string | null,
    @CurrentUser() admin: Admin,
  ): Promise<void> {
    await this.rows.remove(await this.decide(admin, { id, version }));
  }

  @Endpoint({
    summary: 'Make a new secret, If-Match the ETag; the one so far works until it is cleared',
    permission: 'iam:clients:secrets',
    path,
    responses: { 200: secretView },
    example: { secret: 'iamcs_kQ2r8Zt4Wm6Yb1Xc9Vd3Nf5Hg7Jk0Lp2Qw4Er6Ty8Ui0', client: clientExample },
    errors: [...editErrors, 'in_use'],
  })
  @Post(':id/rotate')
  async rotate(
    @Param('id') id: string,
    @IfMatch() version: string | null,
    @CurrentUser() admin: Admin,
  ): Promise<Tagged<z.infer<typeof secretView>>> {
    const { row, secret } = await this.rows.rotate(await this.decide(admin, { id, version }));
    return new Tagged({ secret, client: viewOfRow(row) }, toEtag(row.version));
  }

  @Endpoint({
    summary: 'Clear the secret before the last one, If-Match the ETag: it works no longer',
    permission: 'iam:clients:secrets',
    path,
    responses: { 200: clientView },
    example: clientExample,
    errors: editErrors,
  })
  @Delete(':id/previous_secret')
  async clearPrevious(
    @Param('id') id: string,
    @IfMatch() version: string | null,
    @CurrentUser() admin: Admin,
  ): Promise<ClientView> {
    return viewOfRow(await this.rows.clearPrevious(await this.decide(admin, { id, version })));
  }

  /** The edit, also without a version based on the service whose roles were checked. */
  private async decide(
    admin: Admin,
    { id, version }: ClientEdit,
    added: readonly string[] = [],
  ): Promise<ClientEdit> {
    const row = await this.rows.get(id);
    await this.requireReach(admin, [...row.roles, ...added]);
    return { id, version: version ?? (row.type === 'service' ? row.version : null) };
  }

  /**
   * Who may do less than a service neither makes nor changes it: its secret would hand over its rights.
   * @throws IamError `insufficient_permissions`
   */
  private async requireReach(admin: Admin, roles: readonly string[] = []): Promise<void> {
    await this.permissions.requireAll(admin, await this.roles.permissionsOf(roles));
  }

  private findOfCode(id: string): Client | undefined {
    return this.registry.listOfCode().find((client) => client.id === id);
  }
}

/** As PostgreSQL's collation "C" does for the ASCII of ids. */
function compareIds(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
