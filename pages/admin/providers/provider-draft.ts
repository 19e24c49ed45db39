import { computed, reactive, shallowRef } from 'vue';
import type { Problem } from '../../shared/api';
import { refusedMemberOf } from '../components/record';
import {
  allFields,
  complaintOf,
  newRow,
  type Complaint,
  type Field,
  type FormColumn,
} from './provider-fields';
import { secretColumns, type PlainColumn, type Provider, type SecretColumn } from './provider-types';

type Text = string | boolean;

/** A column that two people have changed. */
export interface Conflict {
  readonly field: Field;
  readonly before: Text;
  readonly theirs: Text;
  readonly mine: Text;
}

/** What somebody else has saved since the row was read. */
export interface Overtaken {
  readonly adopted: readonly { readonly column: string; readonly before: Text; readonly now: Text }[];
  readonly conflicts: readonly Conflict[];
}

const isSecret = (column: string): column is SecretColumn => secretColumns.some((each) => each === column);
const isPlain = (column: string): column is PlainColumn => Object.hasOwn(newRow, column);

/** A column as its control has it: an empty text stands for null. */
function textOf(view: Provider | null, column: string): Text {
  if (column === 'slug') return view?.slug ?? '';
  if (isSecret(column)) return view?.secrets[column] ?? false;
  return isPlain(column) ? ((view ?? newRow)[column] ?? '') : '';
}

/** What a person writes of a provider row, beside the row as it was read; null for a new one. */
export function useProviderDraft(initial: Provider | null) {
  const base = shallowRef(initial);
  const fields = allFields.map(({ field }) => field);
  const plainFields = fields.filter(({ kind }) => kind !== 'secret');
  const plain = reactive<Record<string, Text>>(readAll(initial));
  /** Of a secret: a new value, or null to clear it; absent where it stays. */
  const secrets = reactive(new Map<string, string | null>());

  function readAll(view: Provider | null): Record<string, Text> {
    return Object.fromEntries(plainFields.map(({ column }) => [column, textOf(view, column)]));
  }

  const mine = ({ column }: Field): Text => {
    const value = plain[column] ?? '';
    return typeof value === 'string' ? value.trim() : value;
  };

  const secretOf = ({ column }: Field): string => (secrets.get(column) ?? '').trim();

  const isChanged = (field: Field): boolean =>
    field.kind === 'secret'
      ? secrets.get(field.column) === null || secretOf(field) !== ''
      : mine(field) !== textOf(base.value, field.column);

  const changed = computed(() => fields.filter(isChanged));

  /** The body of the request: what is written, and null for a text that was cleared. */
  const body = computed(() =>
    Object.fromEntries(
      changed.value.map((field) => {
        if (field.kind === 'secret') return [field.column, secretOf(field) || null];
        const value = mine(field);
        return [field.column, value === '' ? null : value];
      }),
    ),
  );

  /** The column that the API has refused as it is written. */
  const refused = shallowRef<string | null>(null);

  /** What the API would refuse, or has refused, by column, in the order of the form. */
  const complaints = computed<ReadonlyMap<FormColumn, Complaint>>(() => {
    const found = fields.flatMap((field) => {
      if (field.column === 'slug' && base.value !== null) return [];
      const value = field.kind === 'secret' ? secretOf(field) : mine(field);
      const found = typeof value === 'string' ? complaintOf(field, value) : null;
      const complaint = found ?? (field.column === refused.value ? 'refused' : null);
      return complaint === null ? [] : [[field.column, complaint] as const];
    });
    return new Map(found);
  });

  function write(column: string, value: Text): void {
    refused.value = null;
    plain[column] = value;
  }

  /** Undefined: the secret stays. */
  function writeSecret(column: string, value: string | null | undefined): void {
    refused.value = null;
    if (value === undefined) secrets.delete(column);
    else secrets.set(column, value);
  }

  /** False: it is about no field of the form. */
  function refuse(problem: Problem): boolean {
    refused.value = refusedMemberOf(problem)?.name ?? null;
    return complaints.value.size > 0;
  }

  function discard(): void {
    refused.value = null;
    Object.assign(plain, readAll(base.value));
    secrets.clear();
  }

  /** After a save: goes on from the row as it is stored now. */
  function accept(stored: Provider): void {
    base.value = stored;
    discard();
  }

  /** After somebody else’s save: takes over what only they have changed, and keeps what is written here. */
  function overtake(newer: Provider): Overtaken {
    const before = base.value;
    const kept = changed.value;
    const written = new Map(kept.map((field) => [field.column, mine(field)]));
    const theirs = fields.filter(({ column }) => textOf(before, column) !== textOf(newer, column));
    base.value = newer;
    for (const field of theirs)
      if (field.kind !== 'secret' && !written.has(field.column))
        plain[field.column] = textOf(newer, field.column);
    return {
      adopted: theirs
        .filter(({ column }) => !written.has(column))
        .map(({ column }) => ({ column, before: textOf(before, column), now: textOf(newer, column) })),
      conflicts: theirs
        .filter((field) => field.kind !== 'secret' && written.has(field.column) && isChanged(field))
        .map((field) => ({
          field,
          before: textOf(before, field.column),
          theirs: textOf(newer, field.column),
          mine: mine(field),
        })),
    };
  }

  /** A change that was made elsewhere on the page, such as a rotation: nothing written here is lost. */
  function refresh(newer: Provider): void {
    overtake(newer);
  }

  return {
    base,
    plain,
    secrets,
    changed,
    body,
    complaints,
    isChanged,
    refuse,
    discard,
    accept,
    write,
    writeSecret,
    overtake,
    refresh,
  };
}

export type ProviderDraft = ReturnType<typeof useProviderDraft>;
