// Whose authorization server atlassian-oauth2 asks is written into it; here it is that of the tenant's own host. Nothing else is changed.
const oauth2 = require('atlassian-oauth2');

const { getAccessToken } = oauth2;
oauth2.getAccessToken = (options) => getAccessToken({ ...options, authorizationServerBaseUrl: options.hostBaseUrl });
