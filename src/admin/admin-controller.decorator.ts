import { applyDecorators, UseGuards } from '@nestjs/common';
import { IamController } from '../sessions/iam-controller.decorator.js';
import { Public } from '../http/public.decorator.js';
import { AdminGuard } from './admin.guard.js';

/** Endpoints for administrators, below `admin`. Public for a global `IamGuard` alone: `AdminGuard` is who decides. */
export const AdminController = (path: string): ClassDecorator =>
  applyDecorators(Public(), UseGuards(AdminGuard), IamController(`admin/${path}`));
