/** The permissions of the admin API. A role may also grant `iam:users:*`, `iam:*` or `*`. */
export const adminPermissions = {
  'iam:providers:read': 'See identity providers and run their check; secrets are never shown',
  'iam:providers:write':
    'Create, change and delete identity providers, but for what `iam:providers:secrets` covers',
  'iam:providers:secrets':
    'Set what proves who speaks for WeChat: AppIDs, AppSecrets, Token, EncodingAESKey, message mode, union scope',
  'iam:clients:read': 'See applications; secrets are never shown',
  'iam:clients:write': 'Register, change, disable and delete applications',
  'iam:clients:secrets': 'Make and clear the secrets of applications',
  'iam:roles:read': 'See roles and what they permit',
  'iam:roles:write': 'Create, change and delete roles, within what one may do oneself',
  'iam:users:read': 'See users and their identities',
  'iam:users:write':
    'Change, disable, merge and delete users, and give and take roles, within what one may do oneself',
  'iam:phone_numbers:read':
    'See phone numbers of users in full, and find users by them; without it, their last digits',
  'iam:sessions:read': 'See who is signed in',
  'iam:sessions:write': 'End sessions',
  'iam:api_keys:read': 'See API keys and whose they are; the keys themselves are never shown',
  'iam:api_keys:write': 'Make API keys for services, and end any, within what one may do oneself',
  'iam:logins:read': 'See sign-in attempts and why they failed',
  'iam:audit:read': 'Read the audit log',
  'iam:events:read': "See WeChat's messages and events as they were received",
  'iam:events:write': 'Try messages and events again that failed',
  'iam:keys:read': 'See which keys sign and seal; never the keys themselves',
  'iam:keys:write': 'Rotate keys',
} as const satisfies Readonly<Record<`iam:${string}:${'read' | 'write' | 'secrets'}`, string>>;

/** A permission of the admin API. */
export type AdminPermission = keyof typeof adminPermissions;
