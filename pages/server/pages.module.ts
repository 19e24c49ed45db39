import { type DynamicModule, Get, Headers, Module, Param, type Type } from '@nestjs/common';
import { Endpoint } from '../../src/http/endpoint.decorator.js';
import { MountedModule } from '../../src/http/http.module.js';
import { PublicController } from '../../src/http/endpoint-responses.service.js';
import { SIGN_IN_CHOOSER } from '../../src/oauth/authorize-request.js';
import { type FixedPage, IAM_PAGES_OPTIONS, IamPages, type PageRequestHeaders } from './iam-pages.service.js';
import { type IamPagesOptions, resolvePagesOptions } from './pages-options.js';
import { Chooser, ChooserController } from './sign-in-chooser.js';

/** Serves the administration and the account page below the option `path` of IamModule, as `/iam/ui/admin`. */
@Module({})
export class IamPagesModule {
  /** @throws TypeError that names the wrong option */
  static forRoot(options: IamPagesOptions = {}): DynamicModule {
    const resolved = resolvePagesOptions(options);
    const pages: FixedPage[] = [
      ...(resolved.admin ? (['admin'] as const) : []),
      ...(resolved.account ? (['account'] as const) : []),
    ];
    const mounted: DynamicModule = {
      module: MountedModule,
      // For `/authorize`, which finds the chooser by its token.
      global: true,
      controllers: [PageFilesController, ChooserController, ...pages.map((page) => controllers[page])],
      providers: [
        { provide: IAM_PAGES_OPTIONS, useValue: resolved },
        IamPages,
        Chooser,
        { provide: SIGN_IN_CHOOSER, useExisting: Chooser },
      ],
      exports: [SIGN_IN_CHOOSER],
    };
    return { module: IamPagesModule, imports: [mounted] };
  }
}

/** The scripts and styles. */
@PublicController('ui/assets')
class PageFilesController {
  constructor(private readonly pages: IamPages) {}

  @Endpoint({
    summary: 'A script or style of the pages',
    path: { file: 'Its name, which changes with its content' },
    responses: { 200: ['text/javascript', 'text/css'], 304: null },
    errors: ['not_found'],
  })
  @Get(':file')
  file(@Param('file') file: string, @Headers() headers: PageRequestHeaders) {
    return this.pages.file(file, headers);
  }
}

/** A page at its own path and below: the script shows what the path names. Patterns of routers for "any path" differ. */
function controllerOf(page: FixedPage): Type {
  const describe = (names: readonly string[]) =>
    Endpoint({
      summary: `The page ${page}`,
      path: Object.fromEntries(names.map((name) => [name, 'Read by the script of the page'])),
      responses: { 200: 'text/html', 304: null },
    });

  @PublicController(`ui/${page}`)
  class PageController {
    constructor(private readonly pages: IamPages) {}

    @describe([])
    @Get()
    root(@Headers() headers: PageRequestHeaders) {
      return this.pages.page(page, headers);
    }

    @describe(['section'])
    @Get(':section')
    section(@Headers() headers: PageRequestHeaders) {
      return this.pages.page(page, headers);
    }

    @describe(['section', 'id'])
    @Get(':section/:id')
    item(@Headers() headers: PageRequestHeaders) {
      return this.pages.page(page, headers);
    }

    @describe(['section', 'id', 'part'])
    @Get(':section/:id/:part')
    part(@Headers() headers: PageRequestHeaders) {
      return this.pages.page(page, headers);
    }
  }
  return PageController;
}

/** Made when this module is imported, so that OpenAPI finds them. */
const controllers = { admin: controllerOf('admin'), account: controllerOf('account') };
