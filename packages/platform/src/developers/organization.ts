import { defineId } from '@bulkhead/base';

export const organizationId = defineId('org');
export const metaTokenId = defineId('mtk');
