import type { Problem } from '#kernel'
import type { WebResponse } from '../web.ts'
import { html } from './html.ts'
import { pageResponse } from './layout.ts'
import { faultAnswer, faultNote } from './login.ts'

/** What a person sees when something cannot go on. Nobody is sent anywhere from here. */
export function faultPage(problem: Problem): WebResponse {
  return pageResponse({
    title: 'This cannot go on',
    ...faultAnswer(problem),
    content: html`${faultNote(problem)}<p>Nothing was shared. You can close this page.</p><p class="quiet">${problem.code}</p>`,
  })
}
