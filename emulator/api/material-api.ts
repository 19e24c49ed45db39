import { header, type Answer, type Incoming } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import type { Material, OperatorRecords } from '../world/operator-records.js';
import type { World } from '../world/world.js';
import type { ApiAnswers } from './api-answers.js';
import { ApiError } from './api-error.js';
import { apiRoute, type ApiCall } from './api-route.js';
import { baseAuthorized, officialAuthorized } from './base-authorized.js';
import { jsonBody, textField } from './json-body.js';

const kinds = ['image', 'voice', 'video', 'thumb'];

/** Bytes that this test picture has in it make the emulator's check of pictures find something. */
const risky = 'EMULATOR-RISKY';
const checkedBytes = 1024 * 1024;

/** Media: kept as they came, so that a test can look at what was uploaded. */
export function materialRoutes(world: World, answers: ApiAnswers): readonly Route[] {
  const recordsOf = (call: ApiCall): OperatorRecords =>
    world.operatorRecords(officialAuthorized(world, call).appid);
  return [
    apiRoute(answers, 'cgi-bin', '/cgi-bin/material/add_material', (call) => {
      const records = recordsOf(call);
      const type = call.param('type');
      if (!kinds.includes(type)) throw new ApiError(40004);
      const { mediaId } = records.addMaterial({ type, ...uploadedFile(call.incoming) });
      return { media_id: mediaId, url: `http://mmbiz.qpic.cn/emulator/${mediaId}` };
    }),
    apiRoute(answers, 'cgi-bin', '/cgi-bin/material/get_materialcount', (call) => {
      const all = [...recordsOf(call).materials.values()];
      const counts = kinds.map(
        (kind) => [`${kind}_count`, all.filter(({ type }) => type === kind).length] as const,
      );
      return { ...Object.fromEntries(counts), news_count: 0 };
    }),
    apiRoute(answers, 'cgi-bin', '/cgi-bin/material/batchget_material', (call) =>
      list(recordsOf(call), call),
    ),
    apiRoute(answers, 'cgi-bin', '/cgi-bin/material/del_material', (call) => {
      const records = recordsOf(call);
      records.materials.delete(materialIn(records, call).mediaId);
      return { errcode: 0, errmsg: 'ok' };
    }),
    {
      method: 'POST',
      path: '/cgi-bin/material/get_material',
      respond: (incoming) => file(answers, incoming, (call) => materialIn(recordsOf(call), call)),
    },
    ...mediaRoutes(world, answers),
  ];
}

/** Temporary media, which mini programs have too, and their check of pictures. */
function mediaRoutes(world: World, answers: ApiAnswers): readonly Route[] {
  const recordsOf = (call: ApiCall): OperatorRecords =>
    world.operatorRecords(baseAuthorized(world, call).appid);
  return [
    apiRoute(answers, 'cgi-bin', '/cgi-bin/media/upload', (call) => {
      const records = recordsOf(call);
      const type = call.incoming.query.get('type') ?? '';
      if (!kinds.includes(type)) throw new ApiError(40004);
      const { mediaId, updatedAt } = records.addMedium({ type, ...uploadedFile(call.incoming) });
      return { type, media_id: mediaId, created_at: updatedAt };
    }),
    {
      method: 'GET',
      path: '/cgi-bin/media/get',
      respond: (incoming) => medium(answers, incoming, recordsOf),
    },
    apiRoute(answers, 'cgi-bin', '/wxa/img_sec_check', (call) => {
      if (baseAuthorized(world, call).kind !== 'mini') throw new ApiError(48001);
      const { bytes } = uploadedFile(call.incoming);
      if (bytes.length > checkedBytes) throw new ApiError(40006);
      if (bytes.includes(risky)) throw new ApiError(87014);
      return { errcode: 0, errmsg: 'ok' };
    }),
  ];
}

/** A video is not given, its address is. */
function medium(
  answers: ApiAnswers,
  incoming: Incoming,
  recordsOf: (call: ApiCall) => OperatorRecords,
): Answer {
  const find = (call: ApiCall): Material => {
    const found = recordsOf(call).findMedium(call.param('media_id'));
    if (found === undefined) throw new ApiError(40007);
    return found;
  };
  return file(answers, incoming, find, (found) => {
    const { type, mediaId, name, contentType, bytes } = found;
    if (type === 'video')
      return answers.ok('cgi-bin', { video_url: `http://mmbiz.qpic.cn/emulator/${mediaId}` });
    const extension = /\.\w+$/.exec(name)?.[0] ?? '';
    const disposition = `attachment; filename="${mediaId}${extension}"`;
    return {
      status: 200,
      headers: { 'content-type': contentType, 'content-disposition': disposition },
      body: bytes,
    };
  });
}

function list({ materials }: OperatorRecords, call: ApiCall): object {
  const posted = jsonBody(call);
  const { offset = 0, count = 20 } = posted;
  if (typeof offset !== 'number' || typeof count !== 'number' || count < 1 || count > 20)
    throw new ApiError(40097);
  const all = [...materials.values()].filter(({ type }) => type === textField(posted, 'type'));
  const item = all
    .slice(offset, offset + count)
    .map(({ mediaId, name, updatedAt }) => ({ media_id: mediaId, name, update_time: updatedAt }));
  return { total_count: all.length, item_count: item.length, item };
}

function materialIn({ materials }: OperatorRecords, call: ApiCall): Material {
  const material = materials.get(textField(jsonBody(call), 'media_id'));
  if (material === undefined) throw new ApiError(40007);
  return material;
}

/** The bytes themselves, not JSON; an error is JSON. */
function file(
  answers: ApiAnswers,
  incoming: Incoming,
  find: (call: ApiCall) => Material,
  give: (found: Material) => Answer = givePlainly,
): Answer {
  try {
    return give(find({ incoming, param: (name) => incoming.query.get(name) ?? '' }));
  } catch (error) {
    if (error instanceof ApiError) return answers.error('cgi-bin', error.errcode, error.message);
    throw error;
  }
}

function givePlainly({ contentType, bytes }: Material): Answer {
  return { status: 200, headers: { 'content-type': contentType }, body: bytes };
}

/** The part `media` of a multipart body. */
function uploadedFile(incoming: Incoming): Pick<Material, 'name' | 'contentType' | 'bytes'> {
  const boundary = /multipart\/form-data;.*boundary="?([^";]+)/i.exec(header(incoming, 'content-type'))?.[1];
  if (boundary === undefined) throw new ApiError(41005);
  const body = incoming.body.toString('latin1');
  for (const part of body.split(`--${boundary}`)) {
    const [head = '', ...rest] = part.split('\r\n\r\n');
    const name = /name="?media"?[;\r\n]/i.test(`${head}\r\n`) && /filename="?([^"\r\n;]*)/i.exec(head)?.[1];
    if (typeof name !== 'string') continue;
    const contentType = /content-type:\s*([^\r\n]+)/i.exec(head)?.[1] ?? 'application/octet-stream';
    return { name, contentType, bytes: Buffer.from(rest.join('\r\n\r\n').replace(/\r\n$/, ''), 'latin1') };
  }
  throw new ApiError(41005);
}
