import { KeepSessionKeys1764000030000 } from './1764000030000-keep-session-keys.js';
import { RegisterClients1764000031000 } from './1764000031000-register-clients.js';
import { KeepUnreadablePushes1764000007000 } from './1764000007000-keep-unreadable-pushes.js';
import { AskBeforeLinking1764000009000 } from './1764000009000-ask-before-linking.js';
import { RefillLimits1764000009100 } from './1764000009100-refill-limits.js';
import { EndScansWithAttempts1764000009200 } from './1764000009200-end-scans-with-attempts.js';
import { AddFollowLogins1764000002000 } from './1764000002000-add-follow-logins.js';
import { CreateIamSchema1764000000000 } from './1764000000000-create-iam-schema.js';
import { AddAdministration1764000003000 } from './1764000003000-add-administration.js';
import { AddAuditDelivery1764000004000 } from './1764000004000-add-audit-delivery.js';
import { RepairEarlySchemas1764000005000 } from './1764000005000-repair-early-schemas.js';
import { BarSubjects1764000006100 } from './1764000006100-bar-subjects.js';
import { BindLoginsToAttempts1764000006200 } from './1764000006200-bind-logins-to-attempts.js';
import { CarryUnions1764000006000 } from './1764000006000-carry-unions.js';
import { WithdrawAsOfThen1764000008000 } from './1764000008000-withdraw-as-of-then.js';
import { AdmitMachines1764000040000 } from './1764000040000-admit-machines.js';
import { AddWebhookInbox1764000001000 } from './1764000001000-add-webhook-inbox.js';
import { AcceptSecrets1764000018000 } from './1764000018000-accept-secrets.js';
import { ConfirmApps1764000015000 } from './1764000015000-confirm-apps.js';
import { CarryAuthorizationRequests1764000033000 } from './1764000033000-carry-authorization-requests.js';
import { RememberBrowsers1764000035000 } from './1764000035000-remember-browsers.js';
import { SignByRsa1764000034000 } from './1764000034000-sign-by-rsa.js';
import { TellOfSignOuts1764000036000 } from './1764000036000-tell-of-sign-outs.js';
import { SendInTurns1764000037000 } from './1764000037000-send-in-turns.js';
import { LimitSessions1764000028000 } from './1764000028000-limit-sessions.js';
import { MarkScannedSessions1764000032000 } from './1764000032000-mark-scanned-sessions.js';
import { TakeAssertionsAndPushedRequests1764000038000 } from './1764000038000-take-assertions-and-pushed-requests.js';
import { ForgetUnboundPeople1764000046000 } from './1764000046000-forget-unbound-people.js';
import { AskForConsent1764000043000 } from './1764000043000-ask-for-consent.js';
import { MoveOpenids1764000020000 } from './1764000020000-move-openids.js';
import { HoldPhoneNumbers1764000026000 } from './1764000026000-hold-phone-numbers.js';
import { DateAuditIds1764000023000 } from './1764000023000-date-audit-ids.js';
import { PartitionByTime1764000022000 } from './1764000022000-partition-by-time.js';
import { AnswerQrCodes1764000024000 } from './1764000024000-answer-qr-codes.js';
import { RememberWhoNamed1764000014000 } from './1764000014000-remember-who-named.js';
import { TypeUserCodes1764000019000 } from './1764000019000-type-user-codes.js';

/** Every migration of the `iam` schema, in order, for the host's `migrations` option. */
export const iamMigrations = [
  CreateIamSchema1764000000000,
  AddWebhookInbox1764000001000,
  AddFollowLogins1764000002000,
  AddAdministration1764000003000,
  AddAuditDelivery1764000004000,
  RepairEarlySchemas1764000005000,
  CarryUnions1764000006000,
  BarSubjects1764000006100,
  BindLoginsToAttempts1764000006200,
  KeepUnreadablePushes1764000007000,
  WithdrawAsOfThen1764000008000,
  AskBeforeLinking1764000009000,
  RefillLimits1764000009100,
  EndScansWithAttempts1764000009200,
  RememberWhoNamed1764000014000,
  ConfirmApps1764000015000,
  AcceptSecrets1764000018000,
  TypeUserCodes1764000019000,
  MoveOpenids1764000020000,
  PartitionByTime1764000022000,
  DateAuditIds1764000023000,
  AnswerQrCodes1764000024000,
  HoldPhoneNumbers1764000026000,
  LimitSessions1764000028000,
  KeepSessionKeys1764000030000,
  RegisterClients1764000031000,
  MarkScannedSessions1764000032000,
  CarryAuthorizationRequests1764000033000,
  SignByRsa1764000034000,
  RememberBrowsers1764000035000,
  TellOfSignOuts1764000036000,
  SendInTurns1764000037000,
  TakeAssertionsAndPushedRequests1764000038000,
  AdmitMachines1764000040000,
  AskForConsent1764000043000,
  ForgetUnboundPeople1764000046000,
];
