import { type ApplicationId } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appendAudit, appendOrganizationAudit } from './audit-log.ts';
import { formatHead, parseHead } from './heads.ts';
import type { AuditLogId } from './ledger.ts';
import { sealAudit } from './seal-audit.ts';
import { verifyAuditLog } from './verify-audit.ts';

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(() => world[Symbol.asyncDispose]());

const db = () => world.platform.db;
const log = (id: string): AuditLogId => ({ kind: 'application', id });
const verified = async (id: string, head?: string) => {
  const answer = await verifyAuditLog(db(), log(id), head === undefined ? {} : { head: parseHead(head)! });
  return answer!;
};

async function append(id: string, actions: readonly string[]): Promise<void> {
  await db().withTenant(id as ApplicationId, async (tx) => {
    for (const action of actions) {
      const detail = { before: { name: 'old', tags: ['a', 'b'] }, 10: 'number-like', count: 3 };
      const at = new Date(world.clock.now());
      await appendAudit(tx, {
        applicationId: id,
        actor: { kind: 'api_key', id: 'key1' },
        action,
        at,
        target: 'thing',
        requestId: 'req',
        detail,
      });
    }
  });
}

/** Until nothing is unsealed: a transaction of another test on the same server may hold a round back. */
async function sealAll(id: string): Promise<void> {
  await expect
    .poll(
      async () => {
        await sealAudit(db(), new Date(world.clock.now()));
        const [left] = await db().withSystem('count the unsealed in a test', (tx) =>
          tx.query<{ left: number }>(sql`
          select count(*) as left from audit_entries where application_id = ${id} and position >= (select sealed_until from audit_sealing)`),
        );
        return left!.left;
      },
      { timeout: 60_000 },
    )
    .toBe(0);
}

/** Three sealed stretches of one, three and two entries. */
async function sealedLog(): Promise<string> {
  const { id } = await world.application();
  await sealAll(id);
  await append(id, ['one', 'two', 'three']);
  await sealAll(id);
  await append(id, ['four', 'five']);
  await sealAll(id);
  return id;
}

describe('S4: a log that nobody touched', () => {
  it('verifies, entry by entry, and says where its chain ends', async () => {
    const id = await sealedLog();
    const sealed = await verified(id);
    expect(sealed).toMatchObject({ finding: null, entries: 6, unsealed: 0, head: { seq: 3 } });
    await append(id, ['six']);
    expect(await verified(id, formatHead(sealed.head))).toMatchObject({ finding: null, entries: 7, unsealed: 1 });
  });
});

interface Scene {
  readonly id: string;
  /** Another tenant's log, sealed too. */
  readonly other: string;
  /** Ids of the entries in their order. */
  readonly entries: readonly string[];
}

type Tamper = (tx: Tx, scene: Scene) => Promise<unknown>;

const edit = (column: string, value: ReturnType<typeof sql>, at = 2): readonly [string, Tamper] => [
  `an entry's ${column} was edited${at > 5 ? ', before a seal closed over it' : ''}`,
  (tx, { id, entries }) =>
    tx.execute(
      sql`update audit_entries set ${sql.identifier(column)} = ${value} where application_id = ${id} and audit_id = ${entries[at]!}`,
    ),
];
const editSeal = (column: string, value: ReturnType<typeof sql>): readonly [string, Tamper] => [
  `a seal's ${column} was edited`,
  (tx, { id }) => tx.execute(sql`update audit_seals set ${sql.identifier(column)} = ${value} where application_id = ${id} and seq = 2`),
];
const remove = (title: string, which: (scene: Scene) => readonly string[]): readonly [string, Tamper] => [
  title,
  (tx, scene) => tx.execute(sql`delete from audit_entries where application_id = ${scene.id} and audit_id = any(${[...which(scene)]})`),
];
const removeSeals = (title: string, which: ReturnType<typeof sql>): readonly [string, Tamper] => [
  title,
  (tx, { id }) => tx.execute(sql`delete from audit_seals where application_id = ${id} and ${which}`),
];
const columns = sql`audit_id, at, actor, action, target, request_id, detail, position, audit_key_id, mac`;

const tampers: readonly (readonly [string, Tamper])[] = [
  edit('at', sql`at + interval '1 microsecond'`),
  edit('actor', sql`'{"kind":"system"}'`),
  edit('actor', sql`actor || '{"note":1}'`),
  edit('action', sql`'nothing.happened'`),
  edit('target', sql`null`),
  edit('request_id', sql`'another'`),
  edit('detail', sql`jsonb_set(detail, '{before,tags}', '["b","a"]')`),
  edit('detail', sql`'[]'`),
  edit('audit_id', sql`audit_id || 'x'`),
  edit('audit_key_id', sql`'no such key'`),
  edit('audit_key_id', sql`null`),
  edit('mac', sql`sha256('guessed')`),
  edit('mac', sql`null`),
  edit('position', sql`position + 1000000`),
  edit('action', sql`'nothing.happened'`, 6),
  edit('detail', sql`'{}'`, 6),
  edit('mac', sql`null`, 6),
  edit('position', sql`1`, 6),
  remove('the first entry was deleted', ({ entries }) => [entries[0]!]),
  remove('an entry in the middle was deleted', ({ entries }) => [entries[2]!]),
  remove('the last sealed entry was deleted', ({ entries }) => [entries[5]!]),
  remove('every sealed entry was deleted', ({ entries }) => entries.slice(0, 6)),
  remove('every entry was deleted', ({ entries }) => entries),
  [
    'log and seals were deleted altogether',
    async (tx, { id }) => {
      await tx.execute(sql`delete from audit_seals where application_id = ${id}`);
      await tx.execute(sql`delete from audit_entries where application_id = ${id}`);
    },
  ],
  [
    'the beginning was deleted with its seal',
    async (tx, { id, entries }) => {
      await tx.execute(sql`delete from audit_seals where application_id = ${id} and seq = 1`);
      await tx.execute(sql`delete from audit_entries where application_id = ${id} and audit_id = ${entries[0]!}`);
    },
  ],
  [
    'two entries changed places',
    (tx, { id, entries: [, , , third, fourth] }) =>
      tx.execute(sql`
        update audit_entries e set position = f.position from audit_entries f
         where e.application_id = ${id} and f.application_id = ${id}
           and (e.audit_id, f.audit_id) in ((${third!}, ${fourth!}), (${fourth!}, ${third!}))`),
  ],
  [
    'two entries changed what they say',
    (tx, { id, entries: [, , , third, fourth] }) =>
      tx.execute(sql`
        update audit_entries e set action = f.action, mac = f.mac from audit_entries f
         where e.application_id = ${id} and f.application_id = ${id}
           and (e.audit_id, f.audit_id) in ((${third!}, ${fourth!}), (${fourth!}, ${third!}))`),
  ],
  [
    'an entry was moved into the stretch of the next seal',
    (tx, { id, entries }) =>
      tx.execute(sql`
        update audit_entries set position = (select position from audit_entries where application_id = ${id} and audit_id = ${entries[4]!})
         where application_id = ${id} and audit_id = ${entries[3]!}`),
  ],
  [
    'an entry was forged into the sealed part',
    (tx, { id, entries }) =>
      tx.execute(sql`
        insert into audit_entries (application_id, ${columns})
        select application_id, 'audforged', at, actor, action, target, request_id, detail, position, audit_key_id, mac
          from audit_entries where application_id = ${id} and audit_id = ${entries[2]!}`),
  ],
  [
    'an entry was forged at the end',
    (tx, { id, entries }) =>
      tx.execute(sql`
        insert into audit_entries (application_id, ${columns})
        select application_id, 'audforged', at, actor, action, target, request_id, detail, position + 1, audit_key_id, mac
          from audit_entries where application_id = ${id} and audit_id = ${entries[6]!}`),
  ],
  [
    'an entry was put back later where all is sealed',
    (tx, { id, entries }) =>
      tx.execute(sql`
        update audit_entries set position = (select sealed_until - 1 from audit_sealing) where application_id = ${id} and audit_id = ${entries[6]!}`),
  ],
  [
    "another tenant's entry was copied in",
    (tx, { id, other }) =>
      tx.execute(sql`
        insert into audit_entries (application_id, ${columns}) select ${id}, ${columns} from audit_entries where application_id = ${other} limit 1`),
  ],
  [
    "the whole log is another tenant's",
    async (tx, { id, other }) => {
      await tx.execute(sql`delete from audit_seals where application_id = ${id}`);
      await tx.execute(sql`delete from audit_entries where application_id = ${id}`);
      await tx.execute(
        sql`insert into audit_entries (application_id, ${columns}) select ${id}, ${columns} from audit_entries where application_id = ${other}`,
      );
      await tx.execute(sql`
        insert into audit_seals select ${id}, seq, until, entries, first_audit_id, last_audit_id, previous, digest, sealed_at, audit_key_id, mac
          from audit_seals where application_id = ${other}`);
    },
  ],
  editSeal('seq', sql`5`),
  editSeal('until', sql`until + 1`),
  editSeal('entries', sql`entries - 1`),
  editSeal('first_audit_id', sql`last_audit_id`),
  editSeal('last_audit_id', sql`first_audit_id`),
  editSeal('previous', sql`sha256('other')`),
  editSeal('digest', sql`sha256('other')`),
  editSeal('sealed_at', sql`sealed_at + interval '1 microsecond'`),
  editSeal('audit_key_id', sql`'no such key'`),
  editSeal('mac', sql`sha256('guessed')`),
  removeSeals('the first seal was deleted', sql`seq = 1`),
  removeSeals('a seal in the middle was deleted', sql`seq = 2`),
  removeSeals('the last seal was deleted', sql`seq = 3`),
  removeSeals('every seal was deleted', sql`true`),
  [
    'two seals changed places',
    async (tx, { id }) => {
      for (const [from, to] of [
        [2, 9],
        [3, 2],
        [9, 3],
      ] as const)
        await tx.execute(sql`update audit_seals set seq = ${to} where application_id = ${id} and seq = ${from}`);
    },
  ],
  [
    'the seals were numbered anew after one was removed with its entries',
    async (tx, { id, entries }) => {
      await tx.execute(sql`delete from audit_seals where application_id = ${id} and seq = 2`);
      await tx.execute(sql`delete from audit_entries where application_id = ${id} and audit_id = any(${entries.slice(1, 4)})`);
      await tx.execute(sql`update audit_seals set seq = 2 where application_id = ${id} and seq = 3`);
    },
  ],
];

async function scene(): Promise<Scene> {
  const [id, other] = [await sealedLog(), await sealedLog()];
  await append(id, ['six']);
  const rows = await db().withSystem('read a log in a test', (tx) =>
    tx.query<{ audit_id: string }>(sql`select audit_id from audit_entries where application_id = ${id} order by position, audit_id`),
  );
  return { id, other, entries: rows.map(({ audit_id }) => audit_id) };
}

describe('S4: tampering is detected', () => {
  it.each(tampers)('%s', async (_title, tamper) => {
    const made = await scene();
    expect(await verified(made.id)).toMatchObject({ finding: null, entries: 7, unsealed: 1 });
    await db().withSystem('tamper in a test', (tx) => tamper(tx, made));
    const { finding } = await verified(made.id);
    expect(finding).not.toBe(null);
    expect(finding!.text).toMatch(/\w/);
    // Whoever was not touched is not accused.
    expect((await verified(made.other)).finding).toBe(null);
  });

  it('an entry that another genuine one was put in the place of', async () => {
    const { id } = await world.application();
    // One transaction each, so that each has a place of its own in the order.
    for (const action of ['one', 'two', 'three']) await append(id, [action]);
    await sealAll(id);
    await append(id, ['four']);
    const read = () =>
      db().withSystem('read a log in a test', (tx) =>
        tx.query<{ audit_id: string; position: number }>(
          sql`select audit_id, position from audit_entries where application_id = ${id} order by position, audit_id`,
        ),
      );
    const entries = await read();
    expect((await verified(id)).finding).toBe(null);
    // Number, first and last stay what they were.
    await db().withSystem('tamper in a test', async (tx) => {
      await tx.execute(sql`delete from audit_entries where application_id = ${id} and audit_id = ${entries[2]!.audit_id}`);
      await tx.execute(
        sql`update audit_entries set position = ${entries[2]!.position} where application_id = ${id} and audit_id = ${entries[4]!.audit_id}`,
      );
    });
    expect(await read()).toHaveLength(4);
    expect((await verified(id)).finding?.text).toContain('are not those that seal');
  });

  it('names the first entry that is wrong', async () => {
    const { id, entries } = await scene();
    await db().withSystem('tamper in a test', (tx) =>
      tx.execute(sql`update audit_entries set action = 'x' where application_id = ${id} and audit_id = any(${[entries[2]!, entries[5]!]})`),
    );
    expect((await verified(id)).finding).toMatchObject({ auditId: entries[2]! });
  });

  it('an end that was cut off with its seals shows by the head from before, and by nothing else', async () => {
    const { id, entries } = await scene();
    await sealAll(id);
    const head = formatHead((await verified(id)).head);
    await db().withSystem('tamper in a test', async (tx) => {
      await tx.execute(sql`delete from audit_seals where application_id = ${id} and seq >= 3`);
      await tx.execute(sql`delete from audit_entries where application_id = ${id} and audit_id = any(${entries.slice(4)})`);
    });
    expect((await verified(id)).finding).toBe(null);
    expect((await verified(id, head)).finding?.text).toContain('The chain ends at seal 2; it had reached seal 4');
  });

  it('a log written anew after the cut shows by the head from before', async () => {
    const { id, entries } = await scene();
    await sealAll(id);
    const { head } = await verified(id);
    await db().withSystem('tamper in a test', async (tx) => {
      await tx.execute(sql`delete from audit_seals where application_id = ${id} and seq >= 4`);
      await tx.execute(sql`delete from audit_entries where application_id = ${id} and audit_id = any(${entries.slice(6)})`);
    });
    await append(id, ['something else']);
    await sealAll(id);
    expect(await verified(id)).toMatchObject({ finding: null, head: { seq: 4 } });
    expect((await verified(id, formatHead(head))).finding?.text).toContain('Seal 4 has another digest');
  });

  it("an organization's log is held to the same", async () => {
    const [organization] = await db().withControl('find the organization in a test', (tx) =>
      tx.query<{ id: string }>(sql`select organization_id as id from organizations limit 1`),
    );
    const mine: AuditLogId = { kind: 'organization', id: organization!.id };
    await db().withControl('write in a test', (tx) =>
      appendOrganizationAudit(tx, { organizationId: mine.id, actor: { kind: 'operator' }, action: 'x', at: new Date(world.clock.now()) }),
    );
    expect((await verifyAuditLog(db(), mine))!.finding).toBe(null);
    await db().withSystem('tamper in a test', (tx) =>
      tx.execute(sql`update organization_audit_entries set actor = '{}' where action = 'x'`),
    );
    expect((await verifyAuditLog(db(), mine))!.finding).not.toBe(null);
  });

  it('an organization that has done nothing yet is not accused', async () => {
    const id = 'orgAAAAAAAAAAAAAAAAAAAAAA';
    await db().withControl('make an organization in a test', (tx) =>
      tx.execute(sql`insert into organizations (organization_id, name) values (${id}, 'Quiet')`),
    );
    expect(await verifyAuditLog(db(), { kind: 'organization', id })).toMatchObject({ finding: null, entries: 0 });
  });
});

describe('S4: who serves requests', () => {
  it.each([
    ['edit an entry', sql`update audit_entries set action = 'x' where application_id = current_setting('bulkhead.application_id')`],
    ['delete an entry', sql`delete from audit_entries where application_id = current_setting('bulkhead.application_id')`],
    ['delete a seal', sql`delete from audit_seals where application_id = current_setting('bulkhead.application_id')`],
    ['make a seal', sql`insert into audit_seals select * from audit_seals`],
  ])('may not %s', async (_title, statement) => {
    const { id } = await world.application();
    await expect(db().withTenant(id as ApplicationId, (tx) => tx.execute(statement))).rejects.toThrow();
    // The control: adding one is allowed.
    await append(id, ['added']);
    expect(await verified(id)).toMatchObject({ finding: null, entries: 2 });
  });
});
