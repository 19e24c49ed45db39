import { Catch, Injectable } from '@nestjs/common';
import { IamError } from '../iam.error.js';
import { ProblemFilter } from './error.filter.js';

/** For the host's own routes: what our services throw there is answered as on ours. Everything else is the host's. */
@Catch(IamError)
@Injectable()
export class IamErrorFilter extends ProblemFilter {}
