import { single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'
import type { Prompt } from './authorization-request.ts'

const prompts: readonly Prompt[] = ['none', 'login', 'consent', 'select_account']

/** The strictest of the prompts asked for: consent is always asked, so only `none` and the login ones change anything. */
export function assignPrompt(params: URLSearchParams): Prompt | undefined {
  const text = single(params, 'prompt')
  if (text === undefined) return undefined
  const asked = text.split(' ').map(word => prompts.find(prompt => prompt === word))
  if (asked.includes(undefined) || (asked.includes('none') && asked.length > 1))
    throw oauthProblem('invalid_request', 'prompt is not one that this server knows.')
  return prompts.find(prompt => asked.includes(prompt))
}

/** `max_age` in seconds. */
export function assignMaxAge(params: URLSearchParams): number | undefined {
  const text = single(params, 'max_age')
  if (text === undefined) return undefined
  if (!/^\d{1,9}$/.test(text)) throw oauthProblem('invalid_request', 'max_age is not a number of seconds.')
  return Number(text)
}
