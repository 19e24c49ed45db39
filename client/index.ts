export type { DeviceCode, DeviceSignIn, DeviceState } from './device-sign-in.js';
export { IamClientError, type Json, type OwnErrorCode } from './error.js';
export { IamClient, type IamClientOptions, type SignInRequest } from './iam-client.js';
export type { IamUser, ProviderOffer } from './types.js';
