import { problemTable } from '#fhir'
import type { Problem } from '#kernel'
import { html, type Markup } from './html.ts'
import { pageResponse } from './layout.ts'
import type { WebResponse } from './route.ts'

/** Where a fault is said, at the top of a page and read out at once. */
export function faultNote(problem: Problem | undefined): Markup {
  if (problem === undefined) return html``
  const wait = problem.retryAfterSeconds
  return html`<p class="error" role="alert" data-code="${problem.code}">${problem.text}${wait === undefined ? '' : ` Try again in ${wait} seconds.`}</p>`
}

/** Kinds whose status a form keeps; whatever else is wrong with a form is 400. */
const formKinds: ReadonlySet<Problem['kind']> = new Set(['throttled', 'busy', 'full', 'forbidden', 'conflict'])

/** Status and headers of a page that shows a form again with its fault. */
export function faultAnswer(problem: Problem | undefined): {
  status: number
  headers: Readonly<Record<string, string>>
} {
  if (problem === undefined) return { status: 200, headers: {} }
  return { status: formKinds.has(problem.kind) ? problemTable[problem.kind].httpStatus : 400, headers: retry(problem) }
}

function retry({ retryAfterSeconds }: Problem): Readonly<Record<string, string>> {
  return retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) }
}

/** What a page of a fault is headed with, by its kind. */
const titles: Readonly<Partial<Record<Problem['kind'], string>>> = {
  'not-found': 'There is nothing here',
  gone: 'This is no longer here',
  unauthenticated: 'This needs an access token',
  forbidden: 'This is not allowed',
  'not-allowed': 'This cannot be done here',
  throttled: 'Too many tries',
  busy: 'Not at this moment',
  full: 'The disk of this server is full',
  fault: 'Something went wrong',
}

/**
 * What a person sees when something cannot go on. Nobody is sent anywhere from here.
 *
 * @param more  what else helps, e.g. where to go instead
 */
export function faultPage(
  problem: Problem,
  more: { readonly status?: number; readonly headers?: WebResponse['headers']; readonly below?: Markup } = {},
): WebResponse {
  const answer = faultAnswer(problem)
  return pageResponse({
    title: titles[problem.kind] ?? 'This cannot go on',
    status: more.status ?? answer.status,
    headers: { ...answer.headers, ...more.headers },
    content: html`${faultNote(problem)}${more.below}<p class="quiet">${problem.code}</p>`,
  })
}
