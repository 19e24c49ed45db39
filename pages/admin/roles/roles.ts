import { codeWords } from '../../shared/language';

/** `GET /admin/roles/{name}`. */
export interface Role {
  readonly name: string;
  readonly description: string;
  readonly permissions: readonly string[];
  readonly is_default: boolean;
}

/** What is written of a role. */
export type RoleDraft = Pick<Role, 'name' | 'description' | 'permissions' | 'is_default'>;

/** As the API takes a permission. */
export const permissionForm = /^(\*|[a-z0-9_-]+(:[a-z0-9_-]+)*(:\*)?)$/;
/** As the API takes a name. */
export const nameForm = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** Only what differs: what is left out stays, and needs no right to hand it out. */
export function changesOf(role: Role, draft: RoleDraft): Partial<RoleDraft> {
  const { description, permissions, is_default: isDefault } = draft;
  const same = (one: readonly string[], other: readonly string[]) =>
    JSON.stringify([...one].sort()) === JSON.stringify([...other].sort());
  return {
    ...(description !== role.description && { description }),
    ...(!same(permissions, role.permissions) && { permissions }),
    ...(isDefault !== role.is_default && { is_default: isDefault }),
  };
}

/** What the permissions of the admin API permit. */
export const permissionWord = codeWords({
  'iam:providers:read': [
    '查看登录入口并运行检查；机密从不显示',
    'See providers and run their check; secrets are never shown',
  ],
  'iam:providers:write': [
    '创建、修改与删除登录入口（机密等除外）',
    'Create, change and delete providers, but for secrets',
  ],
  'iam:providers:secrets': [
    '设置证明微信身份的内容：AppID、AppSecret、Token、EncodingAESKey、消息模式、union 范围',
    'Set what proves who speaks for WeChat: AppIDs, AppSecrets, Token, EncodingAESKey, message mode, union scope',
  ],
  'iam:clients:read': ['查看应用；密钥从不显示', 'See applications; secrets are never shown'],
  'iam:clients:write': ['登记、修改、停用与删除应用', 'Register, change, disable and delete applications'],
  'iam:clients:secrets': ['生成与清空应用的密钥', 'Make and clear the secrets of applications'],
  'iam:roles:read': ['查看角色及其权限', 'See roles and what they permit'],
  'iam:roles:write': [
    '在自己的权限之内，创建、修改与删除角色',
    'Create, change and delete roles, within what one may do oneself',
  ],
  'iam:users:read': ['查看用户及其微信身份', 'See users and their identities'],
  'iam:users:write': [
    '修改、停用、合并与删除用户，并在自己的权限之内授予角色',
    'Change, disable, merge and delete users, and give and take roles, within what one may do oneself',
  ],
  'iam:phone_numbers:read': [
    '查看用户的完整手机号，并按号码查找用户（否则只显示末几位）',
    'See phone numbers in full, and find users by them; without it, their last digits',
  ],
  'iam:sessions:read': ['查看谁已登录', 'See who is signed in'],
  'iam:sessions:write': ['结束会话', 'End sessions'],
  'iam:api_keys:read': [
    '查看 API 密钥及其所有者；从不显示密钥本身',
    'See API keys and whose they are; the keys themselves are never shown',
  ],
  'iam:api_keys:write': [
    '在自己的权限之内，为服务新建密钥，停用任何密钥',
    'Make API keys for services, and end any, within what one may do oneself',
  ],
  'iam:logins:read': ['查看登录尝试及失败原因', 'See sign-in attempts and why they failed'],
  'iam:audit:read': ['查看概览与审计日志', 'See the overview and the audit log'],
  'iam:events:read': ['查看微信推送的消息与事件', "See WeChat's messages and events as they were received"],
  'iam:events:write': ['重新处理失败的消息与事件', 'Try messages and events again that failed'],
  'iam:keys:read': [
    '查看用哪些密钥签名与封存；从不显示密钥本身',
    'See which keys sign and seal; never the keys themselves',
  ],
  'iam:keys:write': ['更换密钥', 'Rotate keys'],
});
