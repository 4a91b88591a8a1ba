import { defineErrors } from '@bulkhead/base';

export const frameErrors = defineErrors({
  'module.not_shown': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'No App that is enabled in this Application shows this end user a page of this key. GET /v1/modules lists what is shown to whom.',
  },
  'module.url_unusable': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'With this context the address of the page cannot be used: a part of its path is "." or "..", or it is longer than {limit} characters.',
  },
  'module.own_origin': {
    status: 400,
    wire: 'request_failed',
    text: 'The App is served from the address of this host itself, where a frame would not confine it. Give it a host or port of its own.',
  },
  'module_link.limit': {
    status: 429,
    wire: 'too_many_requests',
    text: 'At most {limit} pages of Apps are open in one Application. Open links that were made, or wait until some have ended.',
  },
  'page.link_unknown': {
    status: 400,
    wire: 'bad_request',
    text: 'There is no such link to a page of an App, or it has expired. Make a new one.',
  },
  'page.link_opened': {
    status: 400,
    wire: 'bad_request',
    text: 'The link was opened already, in another browser or by a preview. Each opens once; make a new one.',
  },
  'page.session_over': {
    status: 403,
    wire: 'forbidden',
    text: 'The page has ended, or was opened in another browser. Open it again by a new link.',
  },
  'page.prefetch': {
    status: 400,
    wire: 'bad_request',
    text: 'The link was asked for ahead of time. It opens once, when a person follows it.',
  },
  'page.cross_site': { status: 403, wire: 'forbidden', text: 'The request came from another site than the page it is for.' },
});
