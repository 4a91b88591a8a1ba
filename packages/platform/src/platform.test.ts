import { World } from '@bulkhead/testkit';
import { describe, expect, it } from 'vitest';

const get = { policy: 'upstream', tenant: null } as const;
const toItself = { code: 'egress.refused', detail: expect.stringContaining('is a listener of this server') };

describe('the network door of the platform', () => {
  it('does not lead to the name by which the platform is reached, whatever the operator opens', async () => {
    const egressAllow = ['127.0.0.0/8', 'connect.example:443', 'other.example:443'];
    await using world = await World.create({ publicUrl: 'https://connect.example', egressAllow });
    await expect(world.platform.egress.fetch('https://connect.example/v1/docs', get)).rejects.toMatchObject(toItself);
    // Control: another name gets further, to the name servers.
    await expect(world.platform.egress.fetch('https://other.example/', get)).rejects.not.toMatchObject(toItself);
  });

  it('does not lead to its own port, and does to another one of this machine that is open', async () => {
    await using world = await World.create({ egressAllow: ['127.0.0.0/8'] });
    await expect(world.platform.egress.fetch(`${world.url}/healthz`, get)).rejects.toMatchObject(toItself);
    await using other = await World.create();
    expect((await world.platform.egress.fetch(`${other.url}/healthz`, get)).status).toBe(200);
  });
});
