export { describeIam } from './openapi/describe-iam.js';
